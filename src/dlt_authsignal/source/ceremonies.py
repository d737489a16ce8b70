"""The passkey ceremonies of the Client API as resources: what was asked, what came back, how long it took.

They change something at Authsignal, so each is read only when it is named. No challenge, token or key is loaded: what
tells one challenge from another is a hash of its id.
"""

import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import uuid4

import aiohttp
import dlt
from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource
from yarl import URL

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.api import tables
from dlt_authsignal.api.endpoints import Endpoint, basic_auth
from dlt_authsignal.api.responses import decode
from dlt_authsignal.errors import CeremonyRefused, HttpError, TokenExpired, Unauthorized
from dlt_authsignal.source.client import Client
from dlt_authsignal.source.http import writing_session
from dlt_authsignal.source.resources import selected_tables, transformer
from dlt_authsignal.source.rows import Row, fingerprint
from dlt_authsignal.source.stream import batches

Json = dict[str, Any]

_ALIASES: Final = {real: alias for alias, real in endpoints.SEED_PAGE_ALIASES}


class Authenticator(Protocol):
    """What makes and uses passkeys: `SoftwarePasskey`, or anything with these two methods."""

    def create(self, options: Mapping[str, Any]) -> Json: ...

    def get(self, options: Mapping[str, Any]) -> Json: ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the ceremonies are asked with.

    Attributes:
        username: Name that a new passkey gets, and that restricts whose passkeys may sign in.
        display_name: Name shown for a new passkey.
        attachment: `platform` or `cross-platform`; None for either.
        action: Action code of a sign-in.
        challenge_id: A challenge that was begun elsewhere.
        authenticator: Makes and uses the passkey; None for a new one in software.
        origin: Origin that a software passkey speaks for.
        paths: `authsignal` for Authsignal's own paths, `dlthub` for the ones the dltHub page gives.
    """

    username: str | None = None
    display_name: str | None = None
    attachment: str | None = None
    action: str | None = None
    challenge_id: str | None = None
    authenticator: Authenticator | None = None
    origin: str | None = None
    paths: str = "authsignal"


@dataclass
class Call:
    """One call, and what came of it."""

    table: tables.Table
    endpoint: Endpoint
    called_at: datetime
    milliseconds: float
    status: int | None = None
    answer: Json = field(default_factory=dict)
    error_code: str | None = None
    error: str | None = None

    @property
    def options(self) -> Json:
        found = self.answer.get("options")
        return found if isinstance(found, dict) else {}


def ceremony_resources(client: Client, asked: Asked) -> list[DltResource]:
    """The five resources; what one needs of another is asked for once."""

    def performed() -> Iterator[list[Call]]:
        wanted = selected_tables()

        async def perform(out: MemoryObjectSendStream[Call]) -> None:
            async with writing_session(client.pace, client.base, _endpoints(asked).values()) as session:
                async for call in _Performance(client, asked, session).run(wanted):
                    await out.send(call)

        yield from batches(perform, size=10)

    parent: DltResource = dlt.resource(performed, name="_ceremonies", selected=False)
    return [transformer(table, parent, _picker(table, client, asked)) for table in tables.CEREMONIES]


def _picker(table: tables.Table, client: Client, asked: Asked) -> Any:
    def pick(calls: list[Call]) -> list[Row]:
        return [row_of(call, client, asked) for call in calls if call.table is table]

    return pick


def _endpoints(asked: Asked) -> Mapping[Endpoint, Endpoint]:
    """The route actually called, by the one that is meant."""
    real = (
        endpoints.INITIATE_CHALLENGE,
        endpoints.PASSKEY_AUTHENTICATION_OPTIONS,
        endpoints.PASSKEY_VERIFY,
        endpoints.PASSKEY_REGISTRATION_OPTIONS,
        endpoints.PASSKEY_REGISTER,
    )
    if asked.paths == "authsignal":
        return {endpoint: endpoint for endpoint in real}
    return {endpoint: _ALIASES.get(endpoint, endpoint) for endpoint in real}


class _Performance:
    """One run of the ceremonies that are named, in the order in which they build on each other."""

    def __init__(self, client: Client, asked: Asked, session: aiohttp.ClientSession) -> None:
        self._client = client
        self._asked = asked
        self._session = session
        self._routes = _endpoints(asked)
        self._authenticator = asked.authenticator

    async def run(self, wanted: frozenset[str]) -> AsyncIterator[Call]:
        if wanted & {"passkey_register_options", "passkey_register"}:
            options = await self._register_options()
            yield options
            if "passkey_register" in wanted:
                yield await self._register(options)
        signing_in = wanted & {"passkey_authentication_options", "passkey_verify_authentication"}
        challenge_id = self._asked.challenge_id
        if "passkey_initiate_challenge" in wanted or (signing_in and self._asked.action and not challenge_id):
            begun = await self._initiate()
            yield begun
            challenge_id = challenge_id or begun.answer.get("challengeId")
        if signing_in:
            options = await self._authentication_options(challenge_id)
            yield options
            if "passkey_verify_authentication" in wanted:
                yield await self._verify(options)

    async def _register_options(self) -> Call:
        asked = self._asked
        body = {
            "username": asked.username,
            "displayName": asked.display_name,
            "authenticatorAttachment": asked.attachment,
        }
        return await self._call(
            tables.PASSKEY_REGISTER_OPTIONS, endpoints.PASSKEY_REGISTRATION_OPTIONS, body, bearer=True
        )

    async def _register(self, options: Call) -> Call:
        table, endpoint = tables.PASSKEY_REGISTER, endpoints.PASSKEY_REGISTER
        credential = self._made(table, endpoint, options, "create")
        if isinstance(credential, Call):
            return credential
        body = {"challengeId": options.answer.get("challengeId"), "registrationCredential": credential}
        return await self._call(table, endpoint, body, bearer=True)

    async def _initiate(self) -> Call:
        body = {"action": self._asked.action}
        return await self._call(tables.PASSKEY_INITIATE_CHALLENGE, endpoints.INITIATE_CHALLENGE, body)

    async def _authentication_options(self, challenge_id: str | None) -> Call:
        body = {"challengeId": challenge_id, "username": self._asked.username if self._signs_in else None}
        return await self._call(tables.PASSKEY_AUTHENTICATION_OPTIONS, endpoints.PASSKEY_AUTHENTICATION_OPTIONS, body)

    async def _verify(self, options: Call) -> Call:
        table, endpoint = tables.PASSKEY_VERIFY_AUTHENTICATION, endpoints.PASSKEY_VERIFY
        credential = self._made(table, endpoint, options, "get")
        if isinstance(credential, Call):
            return credential
        body = {"challengeId": options.answer.get("challengeId"), "authenticationCredential": credential}
        return await self._call(table, endpoint, body)

    @property
    def _signs_in(self) -> bool:
        """Signing in begins without a user, by the tenant id; with a token alone, its user's challenge is met."""
        return self._client.tenant_id is not None

    def _made(self, table: tables.Table, endpoint: Endpoint, options: Call, verb: str) -> Json | Call:
        """What the authenticator makes of the options; a call that was never sent where it makes nothing."""
        never = Call(table, endpoint, datetime.now(UTC), 0.0)
        if not options.options:
            never.error_code, never.error = "no_options", f"{options.endpoint} gave no options to answer."
            return never
        if self._authenticator is None:
            self._authenticator = _software(self._asked, options.options)
        try:
            made: Json = getattr(self._authenticator, verb)(options.options)
        except CeremonyRefused as refused:
            never.error_code, never.error = refused.dom_name, str(refused)
            return never
        return made

    async def _call(self, table: tables.Table, meant: Endpoint, body: Json, *, bearer: bool = False) -> Call:
        endpoint = self._routes[meant]
        call = Call(table, endpoint, datetime.now(UTC), 0.0)
        url = URL(f"{self._client.base}{endpoint.path}", encoded=True)
        headers = {"Authorization": self._authorization(endpoint, bearer=bearer)}
        sent = {name: value for name, value in body.items() if value is not None}
        self._client.meter.requests += 1
        started = time.perf_counter()
        try:
            async with self._session.post(url, json=sent, headers=headers, allow_redirects=False) as answer:
                raw = await answer.read()
                call.milliseconds = (time.perf_counter() - started) * 1000
                call.status = answer.status
                lower = {name.lower(): value for name, value in answer.headers.items()}
            call.answer = decode(endpoint, answer.status, lower, raw, dict)
        except HttpError as error:
            if isinstance(error, TokenExpired | Unauthorized) and error.status == 401:
                raise
            call.error_code = error.error_code or type(error).__name__
            call.error = _description(raw, sent) or str(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            call.milliseconds = (time.perf_counter() - started) * 1000
            call.error_code, call.error = "network_error", f"{type(error).__name__} while asking {endpoint}."
        return call

    def _authorization(self, endpoint: Endpoint, *, bearer: bool) -> str:
        if not bearer and self._client.tenant_id is not None:
            return basic_auth(self._client.tenant_id)
        return self._client.bearer(endpoint)


def _description(raw: bytes, sent: Json) -> str | None:
    """Authsignal's own words, unless they repeat something that was sent: that may be a secret, or name a person."""
    try:
        said = json.loads(raw)["errorDescription"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(said, str) or any(text in said for text in _texts(sent)):
        return None
    return said[:300]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) > 3:
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)


def _software(asked: Asked, options: Json) -> Authenticator:
    """A new passkey in software, for the origin given, else for the relying party's own https origin."""
    from dlt_authsignal.passkey import SoftwarePasskey

    party = options.get("rp", {}).get("id") or options.get("rpId") or "localhost"
    origin = asked.origin or (f"http://{party}" if party == "localhost" else f"https://{party}")
    if asked.attachment == "cross-platform":
        return SoftwarePasskey(origin=origin, attachment="cross-platform")
    return SoftwarePasskey(origin=origin)


def row_of(call: Call, client: Client, asked: Asked) -> Row:
    """The row that a call becomes: nothing of it could be used to meet a challenge."""
    answer, options = call.answer, call.options
    selection = options.get("authenticatorSelection") or {}
    row: Row = {
        "call_id": str(uuid4()),
        "called_at": call.called_at,
        "endpoint": str(call.endpoint),
        "milliseconds": round(call.milliseconds, 3),
        "status": call.status,
        "error_code": call.error_code,
        "error_description": call.error,
        "challenge_hash": _hash(answer.get("challengeId")),
        "user_id": answer.get("userId") or (client.user_id if call.endpoint.auth == "bearer" else None),
        "action": asked.action,
    }
    if "options" in answer:
        row |= {
            "rp_id": (options.get("rp") or {}).get("id") or options.get("rpId"),
            "rp_name": (options.get("rp") or {}).get("name"),
            "timeout_ms": options.get("timeout"),
            "user_verification": selection.get("userVerification") or options.get("userVerification"),
            "resident_key": selection.get("residentKey"),
            "authenticator_attachment": selection.get("authenticatorAttachment"),
            "attestation": options.get("attestation"),
            "algorithms": [item.get("alg") for item in options.get("pubKeyCredParams") or ()],
            "excluded_credential_ids": [item.get("id") for item in options.get("excludeCredentials") or ()],
            "allowed_credential_ids": [item.get("id") for item in options.get("allowCredentials") or ()],
        }
    for name, key in (("is_verified", "isVerified"), ("user_authenticator_id", "userAuthenticatorId")):
        if key in answer:
            row[name] = answer[key]
    known = {column.name for column in call.table.columns}
    row = {name: value for name, value in row.items() if name in known}
    row["_row_hash"] = fingerprint(row)
    return {**row, "tenant_id": client.tenant, "_lane": "client", "_read_at": call.called_at}


def _hash(challenge_id: Any) -> str | None:
    """16 hex digits that tell challenges apart and say nothing of them."""
    if not isinstance(challenge_id, str):
        return None
    return hashlib.blake2b(challenge_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
