"""The base of request bodies and queries."""

from msgspec import Struct


class Body(Struct, rename="camel"):
    """Base of request bodies and queries. Unknown keys are ignored: Authsignal's own SDKs send some."""
