"""User id sources: the user list, files, queries and ids of earlier runs. Each id is returned once."""

from dlt_authsignal.source.user_ids.candidate import Candidate, has_blanks
from dlt_authsignal.source.user_ids.combined import KNOWN, LISTING, ListState, UserIdSources, candidates

__all__ = ["KNOWN", "LISTING", "Candidate", "ListState", "UserIdSources", "candidates", "has_blanks"]
