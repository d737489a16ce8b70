"""Choose the requests of a recording that a real tenant may get: documented GET requests of keys, nothing else."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from dlt_authsignal.api import management_endpoints, server_endpoints
from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox.recording.entries import Exchange
from dlt_authsignal.sandbox.recording.masks import MASK

CURSOR: Final = "lastEvaluatedUserId"
ALIASES: Final = {"action": "actionCode"}
"""Placeholders of paths whose value has another name in responses."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


def _read_only() -> Iterator[Endpoint]:
    for module in (server_endpoints, management_endpoints):
        for found in vars(module).values():
            if isinstance(found, Endpoint) and found.method == "GET" and found.effect == "read":
                yield found


ENDPOINTS: Final = tuple(sorted(_read_only(), key=lambda found: "{" in found.path))
_PATTERNS: Final = tuple((found, re.compile(found.route()[1])) for found in ENDPOINTS)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A request of a recording that may be sent.

    Attributes:
        exchange: The recorded request.
        endpoint: Its route.
        ids: Values of the path's placeholders.
    """

    exchange: Exchange
    endpoint: Endpoint
    ids: Mapping[str, str]

    @property
    def is_absent(self) -> bool:
        """Whether the sandbox did not have what was requested. Then the same ids are sent, because no tenant has it."""
        return self.exchange.status == 404 or self.exchange.answer == '{"isEnrolled":false}'


def candidate(found: Exchange) -> Candidate | str:
    """Return a request that may be sent, or why it may not."""
    if found.method != "GET":
        return f"{found.method} requests are never sent"
    path = urlsplit(found.url).path
    if not path.startswith("/v1/"):
        return "not a route of Authsignal"
    if not found.headers.get("authorization", "").startswith(("Basic MASKED-server-", "Basic MASKED-management-")):
        return "recorded with a token, or without a valid key"
    for endpoint, pattern in _PATTERNS:
        if matched := pattern.fullmatch(path.removeprefix("/v1")):
            names = _PLACEHOLDER.findall(endpoint.path)
            ids = dict(zip(names, _values(endpoint, matched[0]), strict=True))
            return Candidate(exchange=found, endpoint=endpoint, ids=ids)
    return "not a documented read-only route of the Server or Management API"


def _values(endpoint: Endpoint, path: str) -> list[str]:
    pairs = zip(endpoint.path.split("/"), path.split("/"), strict=True)
    return [unquote(value) for name, value in pairs if _PLACEHOLDER.fullmatch(name)]


@dataclass
class Known:
    """Objects that the tenant returned, with the ids of their paths: what later requests may be about.

    Attributes:
        users: User ids that were given, or found in the user list.
    """

    users: list[str] = field(default_factory=list)
    _objects: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _chosen: dict[str, str] = field(default_factory=dict)
    _cursors: dict[str, str] = field(default_factory=dict)

    def learn(self, endpoint: Endpoint, ids: Mapping[str, str], answer: Any) -> None:
        """Remember the objects of a response."""
        self._objects += [(endpoint.path, {**found, **ids}) for found in _objects(answer)]
        if endpoint is server_endpoints.QUERY_USERS and isinstance(answer, dict):
            listed = [user["userId"] for user in _objects(answer) if "userId" in user]
            self.users += [user for user in listed if user not in self.users]
            if isinstance(cursor := answer.get(CURSOR), str):
                self._cursors[str(endpoint)] = cursor

    def target(self, wanted: Candidate) -> tuple[str, dict[str, str]] | str:
        """Return path with query and the ids in it for the tenant, or why there is none."""
        ids = dict(wanted.ids) if wanted.is_absent else self._ids(wanted)
        if isinstance(ids, str):
            return ids
        query = self._query(wanted)
        if query is None:
            return "its query needs a value that only the sandbox has"
        return f"{wanted.endpoint.fill(**ids)}{f'?{query}' if query else ''}", ids

    def _ids(self, wanted: Candidate) -> dict[str, str] | str:
        ids: dict[str, str] = {}
        if "userId" in wanted.ids:
            user = self._user(wanted.ids["userId"])
            if user is None:
                return "no user of the tenant is known: pass --user"
            ids["userId"] = user
        missing = [name for name in wanted.ids if name != "userId"]
        if not missing:
            return ids
        for source, found in self._objects:
            if not wanted.endpoint.path.startswith(source):  # an id of another list
                continue
            values = {name: found.get(ALIASES.get(name, name)) for name in missing}
            if all(values.values()) and all(found.get(name) == value for name, value in ids.items()):
                return ids | {name: str(value) for name, value in values.items()}
        return f"the tenant returned no {', '.join(missing)} before it"

    def _user(self, recorded: str) -> str | None:
        """Return a user of the tenant for a recorded one: the same one each time, another for each while there are."""
        if recorded not in self._chosen and self.users:
            self._chosen[recorded] = self.users[len(self._chosen) % len(self.users)]
        return self._chosen.get(recorded)

    def _query(self, wanted: Candidate) -> str | None:
        """Return the query, with the tenant's own cursor. None if it has a masked value."""
        pairs = []
        for name, value in parse_qsl(urlsplit(wanted.exchange.url).query, keep_blank_values=True):
            known = self._cursors.get(str(wanted.endpoint)) if name == CURSOR else value
            if known is None or MASK.search(known):
                return None
            pairs.append((name, known))
        return urlencode(pairs, quote_via=quote)


def _objects(value: Any) -> Iterator[dict[str, str]]:
    """Yield the texts of every object in a response."""
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        texts = {name: text for name, text in value.items() if isinstance(text, str)}
        if texts:
            yield texts
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    for each in inner:
        yield from _objects(each)


def answer_of(found: Exchange) -> Any:
    """Return the recorded response as JSON; None if it was not kept."""
    return None if found.answer is None else json.loads(found.answer)
