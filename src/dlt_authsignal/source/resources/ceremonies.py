"""The passkey ceremonies of the Client API: the steps of a registration and of a sign-in, in order.

They change data at Authsignal. With a token, the user is known (MFA). With the tenant id alone, the user is not known
yet (sign-in).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.api.endpoints import Endpoint, basic_auth
from dlt_authsignal.errors import CeremonyRefused
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import ceremonies as tables
from dlt_authsignal.source.http.single_call import Call, Json, send
from dlt_authsignal.source.resources.client import Client

_ALIASES: Final = {real: alias for alias, real in endpoints.SEED_PAGE_ALIASES}


class Authenticator(Protocol):
    """Creates and uses passkeys: `SoftwarePasskey`, or any object with these two methods."""

    def create(self, options: Mapping[str, Any]) -> Json: ...

    def get(self, options: Mapping[str, Any]) -> Json: ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The parameters of the ceremonies.

    Attributes:
        username: User name of a new passkey; for a sign-in, only this user's passkeys are accepted.
        display_name: Name shown for a new passkey.
        attachment: `platform` or `cross-platform`; None for either.
        action: Action code of a sign-in.
        challenge_id: A challenge that was started elsewhere.
        authenticator: Creates and uses the passkey; None for a new software passkey.
        origin: Origin of a software passkey.
        paths: `authsignal` for Authsignal's own paths, `dlthub` for those on dltHub's Authsignal page.
    """

    username: str | None = None
    display_name: str | None = None
    attachment: str | None = None
    action: str | None = None
    challenge_id: str | None = None
    authenticator: Authenticator | None = None
    origin: str | None = None
    paths: str = "authsignal"

    @property
    def routes(self) -> Mapping[Endpoint, Endpoint]:
        """Return the endpoints to call, by the endpoint of Authsignal's own paths."""
        real = (
            endpoints.INITIATE_CHALLENGE,
            endpoints.PASSKEY_AUTHENTICATION_OPTIONS,
            endpoints.PASSKEY_VERIFY,
            endpoints.PASSKEY_REGISTRATION_OPTIONS,
            endpoints.PASSKEY_REGISTER,
        )
        if self.paths == "authsignal":
            return {endpoint: endpoint for endpoint in real}
        return {endpoint: _ALIASES.get(endpoint, endpoint) for endpoint in real}


class Ceremonies:
    """The steps of the ceremonies. Each returns one call, or an unsent call with the reason.

    Attributes:
        authenticator: Creates and uses the passkey; None until a software passkey is needed.
    """

    def __init__(self, client: Client, asked: Asked, session: aiohttp.ClientSession) -> None:
        self._client = client
        self._asked = asked
        self._session = session
        self._routes = asked.routes
        self.authenticator = asked.authenticator

    async def run(self, wanted: frozenset[str]) -> AsyncIterator[Call]:
        """Run the steps of the selected tables and the steps that they need."""
        if wanted & {"passkey_register_options", "passkey_register"}:
            options = await self.register_options()
            yield options
            if "passkey_register" in wanted:
                yield await self.register(options)
        signing_in = wanted & {"passkey_authentication_options", "passkey_verify_authentication"}
        challenge_id = self._asked.challenge_id
        if "passkey_initiate_challenge" in wanted or (signing_in and self._asked.action and not challenge_id):
            begun = await self.initiate()
            yield begun
            challenge_id = challenge_id or begun.answer.get("challengeId")
        if signing_in:
            options = await self.authentication_options(challenge_id)
            yield options
            if "passkey_verify_authentication" in wanted:
                yield await self.verify(options)

    async def register_options(self) -> Call:
        """Request the options for registering a passkey of the token's user."""
        asked = self._asked
        body = {
            "username": asked.username,
            "displayName": asked.display_name,
            "authenticatorAttachment": asked.attachment,
        }
        call = self._call(tables.PASSKEY_REGISTER_OPTIONS, endpoints.PASSKEY_REGISTRATION_OPTIONS, by_token=True)
        return await self._send(call, body)

    async def register(self, options: Call) -> Call:
        """Create a passkey from the options and enrol it."""
        call = self._call(tables.PASSKEY_REGISTER, endpoints.PASSKEY_REGISTER, by_token=True)
        return await self._answered(call, options, "create", "registrationCredential")

    async def initiate(self) -> Call:
        """Start a challenge for the action."""
        call = self._call(tables.PASSKEY_INITIATE_CHALLENGE, endpoints.INITIATE_CHALLENGE)
        return await self._send(call, {"action": self._asked.action})

    async def authentication_options(self, challenge_id: str | None) -> Call:
        """Request the options for signing in; with a token alone, for its user's challenge."""
        call = self._call(tables.PASSKEY_AUTHENTICATION_OPTIONS, endpoints.PASSKEY_AUTHENTICATION_OPTIONS)
        username = self._asked.username if call.authenticated_with == "tenant" else None
        return await self._send(call, {"challengeId": challenge_id, "username": username})

    async def verify(self, options: Call) -> Call:
        """Sign in with a passkey that signs the options."""
        call = self._call(tables.PASSKEY_VERIFY_AUTHENTICATION, endpoints.PASSKEY_VERIFY)
        return await self._answered(call, options, "get", "authenticationCredential")

    def _call(self, table: Table, meant: Endpoint, *, by_token: bool = False) -> Call:
        with_token = by_token or self._client.tenant_id is None
        return Call(
            name=table.name, endpoint=self._routes[meant], authenticated_with="token" if with_token else "tenant"
        )

    async def _send(self, call: Call, body: Json) -> Call:
        self._client.meter.requests += 1
        tenant_id = self._client.tenant_id
        by_tenant = call.authenticated_with == "tenant" and tenant_id is not None
        authorization = basic_auth(tenant_id or "") if by_tenant else self._client.bearer(call.endpoint)
        return await send(self._session, call, self._client.base, authorization, body)

    async def _answered(self, call: Call, options: Call, verb: str, field: str) -> Call:
        """Send the call with the authenticator's result. If the authenticator refuses, do not send it."""
        if not options.options:
            call.error_code, call.error = "no_options", f"{options.endpoint} returned no options."
            return call
        if self.authenticator is None:
            self.authenticator = _software(self._asked, options.options)
        try:
            made: Json = getattr(self.authenticator, verb)(options.options)
        except CeremonyRefused as refused:
            call.error_code, call.error = refused.dom_name, str(refused)
            return call
        return await self._send(call, {"challengeId": options.answer.get("challengeId"), field: made})


def _software(asked: Asked, options: Json) -> Authenticator:
    """Return a new software passkey for the given origin, or else for the https origin of the relying party."""
    from dlt_authsignal.passkey import SoftwarePasskey

    party = options.get("rp", {}).get("id") or options.get("rpId") or "localhost"
    origin = asked.origin or (f"http://{party}" if party == "localhost" else f"https://{party}")
    if asked.attachment == "cross-platform":
        return SoftwarePasskey(origin=origin, attachment="cross-platform")
    return SoftwarePasskey(origin=origin)
