"""`SourceReference.from_reference("authsignal")`."""

from dlt_authsignal.source.source import authsignal_source as authsignal

__all__ = ["authsignal"]
