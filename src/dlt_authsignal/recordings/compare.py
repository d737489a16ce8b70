"""Send the read-only requests of a recording to a real tenant, and compare the form of its responses."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import aiohttp
import anyio
from yarl import URL

from dlt_authsignal.api.endpoints import REGIONS, basic_auth
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing, Unauthorized, Unreachable
from dlt_authsignal.recordings.declared import Declared
from dlt_authsignal.recordings.read_only_requests import Candidate, Known, answer_of, candidate
from dlt_authsignal.recordings.shapes import ShapeDifference, Shapes, shape_differences
from dlt_authsignal.sandbox.recording.entries import Recording
from dlt_authsignal.source.config.connection import is_loopback
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.http.connection_faults import explained
from dlt_authsignal.source.http.proxy import proxy_for
from dlt_authsignal.source.http.session import read_only_session

REQUESTS: Final = 50
MOST_REQUESTS: Final = 1000
RATE: Final = 2.0
MOST_RATE: Final = 20.0
LARGEST: Final = 8 * 1024 * 1024
TOO_MANY: Final = 429

_CODE: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(kw_only=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        host: The tenant's host.
        sent: Requests that were sent, by route.
        differences: Differences in form, by route.
        skipped: Requests of the recording that were not sent, by reason.
    """

    host: str
    sent: Counter[str] = field(default_factory=Counter)
    differences: list[ShapeDifference] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def compare(
    recording: Recording,
    against: str,
    *,
    users: Sequence[str] = (),
    rate: float = RATE,
    max_requests: int = REQUESTS,
    **settings: Any,
) -> Comparison:
    """Send GET requests to a tenant, with the key of the project's settings, and compare the form of its responses.

    Args:
        recording: What a sandbox recorded.
        against: Base URL of the tenant's API, or the name of its region.
        users: Ids of users of the tenant to request. Without, users of the tenant's user list are requested.
        rate: Requests per second.
        max_requests: Requests at most.
        **settings: Settings of `authsignal_source`. They win over those that dlt finds.

    Raises:
        ConfigurationError: The URL or a setting is wrong. Nothing was sent.
        CredentialsMissing: There is no key. Nothing was sent.
        Unauthorized: The tenant refuses the key.
        Unreachable: The tenant cannot be reached.
    """
    if not 0 < rate <= MOST_RATE or not 0 < max_requests <= MOST_REQUESTS:
        raise ConfigurationError(
            f"rate must be above 0 and at most {MOST_RATE:g}, and max_requests 1 to {MOST_REQUESTS}. Nothing was sent."
        )
    found = resolved_settings(**{**settings, "base_url": REGIONS.get(against, against), "region": None})
    if found.base.scheme == "http" and not is_loopback(found.base.host or ""):
        raise ConfigurationError(
            "--against must be an https URL: over http, the key would be readable. Nothing was sent."
        )
    if not (found.api_secret_key or found.management_secret_key):
        raise CredentialsMissing("the Server or Management API", found.blank)
    work = _Comparing(recording, found, list(users), rate, max_requests)
    anyio.run(work.run)
    return work.report


class _Comparing:
    """A comparison while it runs."""

    def __init__(
        self, recording: Recording, settings: SourceSettings, users: list[str], rate: float, max_requests: int
    ) -> None:
        self._recording, self._settings = recording, settings
        self._pause, self._left = 1 / rate, max_requests
        self._keys = {"server": settings.api_secret_key, "management": settings.management_secret_key}
        self._known = Known(users=users)
        self._sandbox, self._tenant = Shapes(), Shapes()
        self._targets: set[tuple[str, str]] = set()
        self.report = Comparison(host=settings.base.host or "")

    async def run(self) -> None:
        candidates = [found for found in map(self._chosen, self._recording.exchanges) if found]
        candidates.sort(key=lambda found: len(found.ids))  # lists first: they return the ids for the others
        pace = RequestLimits(concurrency=1, timeout=self._settings.timeout)
        async with read_only_session(pace, self._settings.base) as session:
            for found in candidates:
                if reason := await self._step(session, found):
                    self.report.skipped[reason] += 1
        self.report.differences += sorted({*shape_differences(self._sandbox, self._tenant, Declared())})

    def _chosen(self, exchange: Any) -> Candidate | None:
        found = candidate(exchange)
        if isinstance(found, str):
            self.report.skipped[found] += 1
            return None
        if (answer := answer_of(exchange)) is not None:
            self._sandbox.add(_case(found, exchange.status), answer)
        return found

    async def _step(self, session: aiohttp.ClientSession, found: Candidate) -> str | None:
        """Send one request. Return why it was not sent, if it was not."""
        key = self._keys[found.endpoint.auth]
        if key is None:
            return f"no {'api_secret_key' if found.endpoint.auth == 'server' else 'management_secret_key'} is set"
        target = self._known.target(found)
        if isinstance(target, str):
            return target
        path, ids = target
        if (found.endpoint.auth, path) in self._targets:
            return "the same request was sent already"
        if self._left <= 0:
            return "the number of requests is limited: raise --max-requests"
        self._targets.add((found.endpoint.auth, path))
        self._left -= 1
        if self.report.sent:
            await asyncio.sleep(self._pause)
        await self._send(session, found, path, ids, key)
        return None

    async def _send(
        self, session: aiohttp.ClientSession, found: Candidate, path: str, ids: dict[str, str], key: str
    ) -> None:
        base, route = self._settings.base, str(found.endpoint)
        self.report.sent[route] += 1
        url = URL(f"{base}{path}", encoded=True)
        headers = {"Authorization": basic_auth(key)}
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                status, raw = answer.status, await _body(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = explained(error, base, proxy_for(base))
            problem = f"{route}: {fault.reason}. {fault.advice}"
        else:
            self._compare(found, ids, status, _json(raw))
            return
        raise Unreachable(problem, request=route)

    def _compare(self, found: Candidate, ids: dict[str, str], status: int, answer: Any) -> None:
        route = str(found.endpoint)
        if status == 401:
            raise Unauthorized(
                f"{self.report.host} refuses the key. No further request was sent. Check the key, and that --against"
                " is the region of its tenant.",
                request=route,
                status=status,
            )
        if status == TOO_MANY:
            self._left = 0
        add = partial(self._difference, route)
        if status != found.exchange.status:
            add("status", str(found.exchange.status), str(status))
        elif answer is None and found.exchange.answer is not None:
            add("body", "JSON", "not JSON")
        elif answer is not None:
            self._tenant.add(_case(found, status), answer)
            ours, theirs = (_error_code(value) for value in (answer_of(found.exchange), answer))
            if ours != theirs:
                add("errorCode", ours, theirs)
        if status < 300 and answer is not None:
            self._known.learn(found.endpoint, ids, answer)

    def _difference(self, route: str, path: str, sandbox: str | None, tenant: str | None) -> None:
        difference = ShapeDifference(route=route, path=path, sandbox=sandbox, tenant=tenant)
        if difference not in self.report.differences:
            self.report.differences.append(difference)


def _case(found: Candidate, status: int) -> str:
    """Return the route, with the status of an error: responses of different cases have different fields."""
    if status >= 400:
        return f"{found.endpoint} ({status})"
    return f"{found.endpoint} (unknown id)" if found.is_absent else str(found.endpoint)


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Return a body. Of one that is too long, a part, which is not JSON."""
    raw = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) > LARGEST:
            break
    return bytes(raw)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _error_code(answer: Any) -> str | None:
    """Return the code of an error, if it looks like one. Other text may contain values of the tenant."""
    code = answer.get("errorCode") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
