"""Store deliveries of events as immutable files, in a folder or in an object store."""

from dlt_authsignal.spool.names import DELIVERY, SpoolFile, file_name, raw_file_name
from dlt_authsignal.spool.open import Spool, open_spool

__all__ = ["DELIVERY", "Spool", "SpoolFile", "file_name", "open_spool", "raw_file_name"]
