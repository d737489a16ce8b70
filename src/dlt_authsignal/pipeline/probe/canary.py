"""The canary user, and the calls of its application's server."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from dlt_authsignal.api import client_endpoints
from dlt_authsignal.api import server_endpoints as endpoints
from dlt_authsignal.api.endpoints import Endpoint, Route, basic_auth
from dlt_authsignal.errors import NotACanary
from dlt_authsignal.passkey import SOFTWARE_AAGUID
from dlt_authsignal.source.http.single_call import Call, Json, send
from dlt_authsignal.source.resources.ceremonies import Asked

DISPLAY_NAME: Final = "dlt-authsignal probe"

_SIGNS: Final = {
    "email": "an e-mail address",
    "phoneNumber": "a phone number",
    "username": "a user name",
    "displayName": "a display name",
}
_SCOPE: Final = "read:authenticators add:authenticators"


def routes(user_id: str, action: str) -> list[Route]:
    """Return all calls that a probe may send. Routes with a user id allow only the canary user."""
    return [
        endpoints.TRACK.route(userId=user_id, action=action),
        endpoints.GET_USER.route(userId=user_id),
        endpoints.GET_USER_AUTHENTICATORS.route(userId=user_id),
        endpoints.QUERY_USER_ACTIONS.route(userId=user_id),
        endpoints.DELETE_AUTHENTICATOR.route(userId=user_id),
        endpoints.VALIDATE.route(),
        client_endpoints.CLIENT_AUTHENTICATORS.route(),
        *(endpoint.route() for endpoint in Asked().routes),
    ]


class Backend:
    """The calls that the canary user's application makes with its Server API secret key.

    Args:
        user_id: The canary user.
        action: Action code of the canary user's attempts.
        api_secret_key: Server API secret key.
        base: Base URL.
        session: Session that sends only the calls of `routes`.
    """

    def __init__(self, user_id: str, action: str, api_secret_key: str, base: URL, session: aiohttp.ClientSession):
        self._user_id = user_id
        self._action = action
        self._authorization = basic_auth(api_secret_key)
        self._base = base
        self._session = session

    async def track(self) -> Call:
        """Start an attempt; the response contains its token."""
        return await self._send("track", endpoints.TRACK, {"scope": _SCOPE}, action=self._action)

    async def authenticators(self) -> Call:
        """Request the canary user's authenticators; an unknown user has none."""
        return self._known(await self._send("get_authenticators", endpoints.GET_USER_AUTHENTICATORS, expect=list))

    async def user(self) -> Call:
        """Request the canary user's record."""
        return self._known(await self._send("get_user", endpoints.GET_USER))

    async def actions(self) -> Call:
        """Request the canary user's attempts."""
        return self._known(await self._send("get_actions", endpoints.QUERY_USER_ACTIONS, expect=list))

    async def remove(self, user_authenticator_id: str) -> Call:
        """Remove a passkey."""
        return await self._send(
            "delete_authenticator", endpoints.DELETE_AUTHENTICATOR, userAuthenticatorId=user_authenticator_id
        )

    async def validate(self, token: str | None) -> Call:
        """Request the result of an attempt."""
        return await self._send("validate", endpoints.VALIDATE, {"token": token})

    @staticmethod
    def _known(call: Call) -> Call:
        """Treat an unknown user as success."""
        if call.status == 404:
            call.error_code = call.error = None
        return call

    async def _send(
        self, name: str, endpoint: Endpoint, body: Json | None = None, *, expect: Any = dict, **values: str
    ) -> Call:
        call = Call(name=name, endpoint=endpoint, authenticated_with="server")
        values["userId"] = self._user_id
        return await send(self._session, call, self._base, self._authorization, body, expect=expect, **values)


def check_authenticators(authenticators: Iterable[Mapping[str, Any]]) -> None:
    """Check that probes created all authenticators.

    Raises:
        NotACanary: There is another authenticator, so the user may be a real person.
    """
    foreign = sum(not _is_ours(item) for item in authenticators)
    if foreign:
        raise NotACanary("an authenticator" if foreign == 1 else f"{foreign} authenticators")


def check_user(user: Mapping[str, Any]) -> None:
    """Check that the user record has no personal data.

    Raises:
        NotACanary: The record has an e-mail address, a phone number or a name.
    """
    for name, meaning in _SIGNS.items():
        if user.get(name):
            raise NotACanary(meaning)


def check_actions(actions: Iterable[Mapping[str, Any]], action: str) -> None:
    """Check that all attempts of the user come from probes.

    Raises:
        NotACanary: There is an attempt of another action.
    """
    if any(item.get("actionCode") != action for item in actions):
        raise NotACanary(f'attempts of other actions than "{action}"')


def own(authenticators: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of the passkeys that probes created."""
    return [item["userAuthenticatorId"] for item in authenticators if _is_ours(item)]


def _is_ours(authenticator: Mapping[str, Any]) -> bool:
    credential = authenticator.get("webauthnCredential") or {}
    marked = credential.get("aaguid") == SOFTWARE_AAGUID or authenticator.get("displayName") == DISPLAY_NAME
    return marked and authenticator.get("verificationMethod") == "PASSKEY"
