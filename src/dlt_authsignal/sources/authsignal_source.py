"""`SourceReference.from_reference("authsignal_source")`."""

from dlt_authsignal.source.lanes import authsignal_source

__all__ = ["authsignal_source"]
