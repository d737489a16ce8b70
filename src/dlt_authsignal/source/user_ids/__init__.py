"""Who to read: the ids that the listing, files, queries and earlier runs name, each once."""

from dlt_authsignal.source.user_ids.candidate import Candidate
from dlt_authsignal.source.user_ids.combined import KNOWN, LISTING, UserIdSources, candidates

__all__ = ["KNOWN", "LISTING", "Candidate", "UserIdSources", "candidates"]
