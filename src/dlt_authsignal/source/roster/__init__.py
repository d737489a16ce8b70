"""Who to read: the ids that the listing, files, queries and earlier runs name, each once."""

from dlt_authsignal.source.roster.candidate import Candidate
from dlt_authsignal.source.roster.combined import KNOWN, LISTING, Roster, candidates

__all__ = ["KNOWN", "LISTING", "Candidate", "Roster", "candidates"]
