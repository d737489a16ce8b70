"""Masks secrets. The same secret has the same mask everywhere, so that a replay can put another value in its place."""

import re
from collections import OrderedDict
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from dlt_authsignal.sandbox.core.base64_text import decoded
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.schema.secret_fields import is_secret, is_suspicious

MASK: Final = re.compile(r"MASKED-([a-z]+)-(\d+)")
"""A mask: its kind, and its number among those of the kind."""

HIDDEN: Final = "MASKED"
"""The mask of a value that no replay needs."""

MOST: Final = 50_000
"""Secrets that are remembered, besides the keys of the sandbox. The one that was not used for longest is forgotten."""

LONG: Final = 16
"""Length from which a known secret is masked wherever it is, not only in fields that are named like a secret."""

_WORD: Final = re.compile(rf"[A-Za-z0-9_.-]{{{LONG},}}")
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_DIGITS: Final = re.compile(r"[0-9]{4,10}")
_HARMLESS: Final = frozenset({"codes", "key", "url"})
"""Names that only sound like a secret's: the filter by action codes, and names without a subject."""


class Masks:
    """The masks of one recording.

    Args:
        config: Its keys are masked wherever they are.
    """

    def __init__(self, config: SandboxConfig) -> None:
        keys = {config.management_secret_key: "MASKED-management-1", config.api_secret_key: "MASKED-server-1"}
        self._keys = {key: mask for key, mask in keys.items() if key}
        self._masks: OrderedDict[str, str] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._tenant = config.tenant_id

    def mask(self, value: str, kind: str) -> str:
        """Return the mask of a secret."""
        if MASK.fullmatch(value) or not value:
            return value
        found = self._known(value)
        if found is None:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            found = self._masks[value] = f"MASKED-{kind}-{number}"
            if len(self._masks) > MOST:
                self._masks.popitem(last=False)
        return found

    def _known(self, value: str) -> str | None:
        """Return the mask of a secret that was masked before."""
        if value in self._masks:
            self._masks.move_to_end(value)
        return self._keys.get(value) or self._masks.get(value)

    def value(self, value: Any, name: str = "") -> Any:
        """Return JSON without secrets: those of fields that are named like one, and known ones in other texts."""
        if name and name not in _HARMLESS and (is_secret(name) or is_suspicious(name)):
            return self._hidden(value, name)
        if isinstance(value, dict):
            return {str(key): self.value(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Return text without tokens and known secrets."""
        if "?" in text and "://" in text:
            return self.url(text)
        text = _JWT.sub(lambda found: self.mask(found[0], "token"), text)
        return _WORD.sub(lambda found: self._known(found[0]) or found[0], text)

    def url(self, url: str) -> str:
        """Return a URL or a path without the secrets in its query."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HIDDEN
        plain = self.text(urlunsplit(parts._replace(query="", fragment="")))
        if not parts.query:
            return plain
        return f"{plain}?{self.form(parts.query)}"

    def form(self, text: str) -> str:
        """Return the fields of a form or a query without secrets."""
        pairs = [(name, str(self.value(value, name))) for name, value in parse_qsl(text, keep_blank_values=True)]
        return urlencode(pairs, quote_via=quote)

    def authorization(self, header: str) -> str:
        """Return an `Authorization` header that says only which kind of key it has."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return f"Bearer {self.mask(value, 'token')}"
        raw = decoded(value.strip()) if scheme.lower() == "basic" else None
        if raw is None:
            return HIDDEN
        name = raw.decode("utf-8", "replace").removesuffix(":")
        if name in (self._tenant, quote(self._tenant)):
            return "Basic MASKED-tenant-1"
        return f"Basic {self.mask(name, 'wrong')}"

    def cookies(self, header: str) -> str:
        """Return a `Cookie` or `Set-Cookie` header without the values of cookies."""
        parts = []
        for part in header.split(";"):
            name, equals, value = part.strip().partition("=")
            is_attribute = name.lower() in ("path", "domain", "samesite", "max-age", "expires") or not equals
            parts.append(part.strip() if is_attribute else f"{name}={self.mask(value, 'secret')}")
        return "; ".join(parts)

    def _hidden(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {str(key): self._hidden(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._hidden(inner, name) for inner in value]
        if isinstance(value, str):
            return self.mask(value, _kind(value))
        return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _kind(value: str) -> str:
    if _JWT.fullmatch(value):
        return "token"
    return "code" if _DIGITS.fullmatch(value) else "secret"
