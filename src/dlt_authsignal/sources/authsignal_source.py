"""`SourceReference.from_reference("authsignal_source")`."""

from dlt_authsignal.source.source import authsignal_source

__all__ = ["authsignal_source"]
