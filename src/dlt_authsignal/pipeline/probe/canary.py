"""The canary: the one user that a probe may touch, and what its application's server does for it."""

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
    """Everything that a probe may send. Where a route names a user, it is the canary."""
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
    """What the canary's application does with its Server API secret.

    Args:
        user_id: The canary.
        action: Action code of its attempts.
        api_secret_key: Server API secret.
        base: Base URL.
        session: Lets `routes` out, and nothing else.
    """

    def __init__(self, user_id: str, action: str, api_secret_key: str, base: URL, session: aiohttp.ClientSession):
        self._user_id = user_id
        self._action = action
        self._authorization = basic_auth(api_secret_key)
        self._base = base
        self._session = session

    async def track(self) -> Call:
        """Begins an attempt; the answer holds its token."""
        return await self._send("track", endpoints.TRACK, {"scope": _SCOPE}, action=self._action)

    async def authenticators(self) -> Call:
        """What the canary has; a user that is not known yet has nothing."""
        return self._known(await self._send("get_authenticators", endpoints.GET_USER_AUTHENTICATORS, expect=list))

    async def user(self) -> Call:
        """What is known of the canary."""
        return self._known(await self._send("get_user", endpoints.GET_USER))

    async def actions(self) -> Call:
        """The canary's attempts."""
        return self._known(await self._send("get_actions", endpoints.QUERY_USER_ACTIONS, expect=list))

    async def remove(self, user_authenticator_id: str) -> Call:
        """Takes a passkey away again."""
        return await self._send(
            "delete_authenticator", endpoints.DELETE_AUTHENTICATOR, userAuthenticatorId=user_authenticator_id
        )

    async def validate(self, token: str | None) -> Call:
        """The verdict on an attempt."""
        return await self._send("validate", endpoints.VALIDATE, {"token": token})

    @staticmethod
    def _known(call: Call) -> Call:
        """A user that is not known yet is no fault."""
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
    """Passes where probes made everything.

    Raises:
        NotACanary: There is something else: this may be a person.
    """
    foreign = sum(not _is_ours(item) for item in authenticators)
    if foreign:
        raise NotACanary("an authenticator" if foreign == 1 else f"{foreign} authenticators")


def check_user(user: Mapping[str, Any]) -> None:
    """Passes where nothing says who the user is.

    Raises:
        NotACanary: There is an address, a number or a name.
    """
    for name, meaning in _SIGNS.items():
        if user.get(name):
            raise NotACanary(meaning)


def check_actions(actions: Iterable[Mapping[str, Any]], action: str) -> None:
    """Passes where the user has done nothing but what probes do.

    Raises:
        NotACanary: There is another action.
    """
    if any(item.get("actionCode") != action for item in actions):
        raise NotACanary(f'attempts of other actions than "{action}"')


def own(authenticators: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of the passkeys that probes made."""
    return [item["userAuthenticatorId"] for item in authenticators if _is_ours(item)]


def _is_ours(authenticator: Mapping[str, Any]) -> bool:
    credential = authenticator.get("webauthnCredential") or {}
    marked = credential.get("aaguid") == SOFTWARE_AAGUID or authenticator.get("displayName") == DISPLAY_NAME
    return marked and authenticator.get("verificationMethod") == "PASSKEY"
