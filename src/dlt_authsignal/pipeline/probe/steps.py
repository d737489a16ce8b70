"""The calls of one probe, in order: enrol a passkey, use it twice, and always remove it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio

from dlt_authsignal.api.client_endpoints import CLIENT_AUTHENTICATORS
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.probe import canary
from dlt_authsignal.pipeline.probe.canary import Backend
from dlt_authsignal.schema.tables import server as tables
from dlt_authsignal.schema.tables.ceremonies import CEREMONIES
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.http.session import writing_session
from dlt_authsignal.source.http.single_call import Call, send
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.resources.ceremonies import Asked, Authenticator, Ceremonies
from dlt_authsignal.source.resources.ceremony_resources import row_of
from dlt_authsignal.source.resources.client import Client
from dlt_authsignal.source.rows.flatten import Answers, Row

Calls = AsyncGenerator[Call, None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of a probe.

    Attributes:
        flow: `enrol`, `mfa`, `sign_in`, or `clean_up`.
        name: Name of the call.
        milliseconds: Time from sending the request to the end of the response.
        status: HTTP status; None if no response came.
        problem: Why the step failed; None if it succeeded.
    """

    flow: str
    name: str
    milliseconds: float
    status: int | None
    problem: str | None


@dataclass
class Probing:
    """A running probe.

    Attributes:
        settings: Address and credentials.
        privacy: Privacy settings.
        user_id: The canary user.
        action: Action code of the canary user's attempts.
        authenticator: Creates and uses the passkey; None for a new software passkey.
        steps: Calls made so far.
        rows: Rows of the passkey calls, by table.
        authenticators: Responses with the canary user's authenticators.
        tenant_id: The tenant of the token.
        left_behind: Passkeys of probes that the canary user still has.
        removed_before: Passkeys of interrupted probes that were removed first.
    """

    settings: SourceSettings
    privacy: Privacy
    user_id: str
    action: str
    authenticator: Authenticator | None = None
    steps: list[Step] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: {table.name: [] for table in CEREMONIES})
    authenticators: list[Answers] = field(default_factory=list)
    tenant_id: str | None = None
    left_behind: int = 0
    removed_before: int = 0
    _token: str | None = field(default=None, repr=False)
    _backend: Backend | None = None

    async def run(self) -> None:
        """Run all calls. A failure is stored in its step, and calls that depend on it are skipped.

        Raises:
            NotACanary: The user may be a real person.
            Unauthorized: A key or token is not valid here.
            TokenExpired: The token has expired.
        """
        base, key = self.settings.base, self.settings.api_secret_key
        pace = RequestLimits(concurrency=1, timeout=self.settings.timeout)
        self.tenant_id = self.settings.tenant_id
        async with writing_session(pace, base, canary.routes(self.user_id, self.action)) as self._session:
            if key:
                self._backend = Backend(self.user_id, self.action, key, base, self._session)
            await self._perform()

    async def _perform(self) -> None:
        if not await self._flow("clean_up", self._prepared()):
            return
        self.removed_before = sum(step.name == "delete_authenticator" for step in self.steps)
        try:
            if await self._flow("enrol", self._enrol()):
                await self._flow("mfa", self._mfa())
                await self._flow("sign_in", self._sign_in())
        finally:
            with anyio.CancelScope(shield=True):
                await self._flow("clean_up", self._cleaned())

    async def _flow(self, flow: str, calls: Calls) -> bool:
        """Run calls until one fails; return whether all succeeded."""
        async with aclosing(calls):
            async for call in calls:
                problem = problem_of(call, self.user_id)
                spent = round(call.milliseconds, 3)
                self.steps.append(
                    Step(flow=flow, name=call.name, milliseconds=spent, status=call.status, problem=problem)
                )
                self._keep(call)
                if problem:
                    return False
        return True

    async def _prepared(self) -> Calls:
        if self._backend:
            known = await self._backend.user()
            canary.check_user(known.answer)
            yield known
            done = await self._backend.actions()
            canary.check_actions(done.items, self.action)
            yield done
            found = await self._backend.authenticators()
        else:
            self._token = self.settings.token
            found = await self._own_authenticators("get_authenticators")
        canary.check_authenticators(found.items)
        yield found
        async for call in self._removed(found):
            yield call

    async def _cleaned(self) -> Calls:
        if not self._backend:
            self.left_behind = sum(row.get("is_verified") is True for row in self.rows["passkey_register"])
            return
        found = await self._backend.authenticators()
        yield found
        async for call in self._removed(found):
            yield call

    async def _removed(self, found: Call) -> Calls:
        mine = canary.own(found.items)
        self.left_behind = len(mine)
        if not (mine and self._backend):
            return
        for user_authenticator_id in mine:
            yield await self._backend.remove(user_authenticator_id)
        again = await self._backend.authenticators()
        self.left_behind = len(canary.own(again.items))
        if self.left_behind:
            again.error_code, again.error = "still_there", "The passkey was removed, but is still listed."
        yield again

    async def _enrol(self) -> Calls:
        async for call in self._tracked():
            yield call
        ceremonies = self._ceremonies(username=self.user_id, display_name=canary.DISPLAY_NAME)
        options = await ceremonies.register_options()
        yield options
        yield await ceremonies.register(options)
        self.authenticator = ceremonies.authenticator
        yield await self._own_authenticators("user_authenticators")

    async def _mfa(self) -> Calls:
        async for call in self._tracked():
            yield call
        ceremonies = self._ceremonies()
        options = await ceremonies.authentication_options(None)
        yield options
        async for call in self._verified(ceremonies, options):
            yield call

    async def _sign_in(self) -> Calls:
        ceremonies = self._ceremonies(tenant_id=self.tenant_id, action=self.action)
        begun = await ceremonies.initiate()
        yield begun
        options = await ceremonies.authentication_options(begun.answer.get("challengeId"))
        yield options
        async for call in self._verified(ceremonies, options):
            yield call

    async def _tracked(self) -> Calls:
        if self._backend:
            call = await self._backend.track()
            self._token = call.answer.get("token")
            yield call
        self.tenant_id = self.client().tenant
        if self.tenant_id is None:
            raise ConfigurationError(
                "The token does not contain its tenant, so the Client API cannot be called. Set tenant_id."
            )

    async def _verified(self, ceremonies: Ceremonies, options: Call) -> Calls:
        verified = await ceremonies.verify(options)
        yield verified
        if self._backend:
            yield await self._backend.validate(verified.answer.get("accessToken"))

    async def _own_authenticators(self, name: str) -> Call:
        call = Call(name=name, endpoint=CLIENT_AUTHENTICATORS, authenticated_with="token")
        authorization = self.client().bearer(CLIENT_AUTHENTICATORS)
        return await send(self._session, call, self.settings.base, authorization, expect=list)

    def _ceremonies(self, *, tenant_id: str | None = None, **asked: Any) -> Ceremonies:
        meant = Asked(authenticator=self.authenticator, origin=self.settings.origin, **asked)
        token = None if tenant_id else self._token
        return Ceremonies(self.client(token=token, tenant_id=tenant_id), meant, self._session)

    def client(self, **known: str | None) -> Client:
        """Return a client of the Client API for the canary, or for the user in `known`."""
        known = known or {"token": self._token, "tenant_id": self.tenant_id}
        return Client(
            base=self.settings.base,
            throttle=RateLimiter(pace=RequestLimits()),
            meter=RunMetrics(),
            privacy=self.privacy,
            **{"token": None, "tenant_id": None, **known},
        )

    def _keep(self, call: Call) -> None:
        """Store the rows of a call, if the call belongs to a table."""
        if call.name == tables.USER_AUTHENTICATORS.name:
            items, keys = list[Mapping[str, Any]](call.items), {"user_id": [self.user_id]}
            self.authenticators.append(
                Answers(items=items, requests=[0] * len(items), read_at=[call.called_at], keys=keys)
            )
        elif call.name in self.rows:
            self.rows[call.name].append(row_of(call, self.client(), Asked(action=self.action)))


def problem_of(call: Call, user_id: str) -> str | None:
    """Return why a call of the canary user failed; None if it succeeded."""
    answer = call.answer
    if call.error_code:
        status = f"{call.status} " if call.status else ""
        return f"{status}{call.error_code}: {(call.error or '').removeprefix(f'{call.error_code}: ')}"
    if answer.get("isVerified") is False:
        return "Authsignal did not accept the passkey (isVerified: false)."
    if answer.get("userId") not in (None, user_id):
        return "The response is about a user other than the canary user."
    if call.name == "track" and answer.get("state") == "BLOCK":
        return "The tenant's rules block the canary user (BLOCK). Allow its action, or pass another with --action."
    if call.name == "validate" and answer.get("isValid") is not True:
        return f"The state of the attempt is {answer.get('state') or 'missing'}, not CHALLENGE_SUCCEEDED."
    return None
