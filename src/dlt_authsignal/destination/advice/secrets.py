"""Remove the secrets of a destination's settings from a message."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import dlt

_SECRET: Final = re.compile("password|passphrase|secret|token|private_key|key_id")
_IN_URL: Final = re.compile(r"://[^/?\s]*?:(?P<password>[^/?\s]+)@")


def without_secrets(text: str, name: str) -> str:
    """Return the text without the values of secret parts of `[destination.NAME]`."""
    for secret in sorted(
        set(_secrets(dlt.secrets.get(f"destination.{name}.credentials"), name)), key=len, reverse=True
    ):
        text = text.replace(secret, "…")
    return _IN_URL.sub("://…@", text)


def _secrets(credentials: Any, name: str) -> Iterator[str]:
    if isinstance(credentials, Mapping):
        yield from (str(value) for part, value in credentials.items() if value and _SECRET.search(str(part)))
    elif credentials and (url := _IN_URL.search(str(credentials))):
        yield from {url["password"], unquote(url["password"])}
    for part in ("password", "access_token", "client_secret", "private_key", "private_key_passphrase", "token"):
        if found := dlt.secrets.get(f"destination.{name}.credentials.{part}", str):
            yield found
