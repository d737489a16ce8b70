"""The WebSocket of the QR code flow, with the messages that Authsignal's browser SDK sends and expects.

The SDK derives the URL from the base URL, and identifies itself by a subprotocol, because browsers cannot set headers.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from starlette.websockets import WebSocket, WebSocketDisconnect

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.http.auth import Caller, authenticate
from dlt_authsignal.sandbox.http.routes.client.qr_code import QrStart, begin
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.verification.approvals import hand_out, is_verified

PATH: Final = "/ws-v1-challenge"
SUBPROTOCOL: Final = "authsignal-ws"
TOKEN: Final = "x.authsignal.token."  # noqa: S105 - the beginning of a subprotocol
TENANT: Final = "x.authsignal.tenant."

EVERY_SECONDS: Final = 0.1
"""How often the state of the challenges is read."""

MOST_WATCHED: Final = 20
"""Challenges of one connection whose states are sent. The SDK replaces its challenge every nine minutes."""

POLICY_VIOLATION: Final = 1008


class CreateData(Body, kw_only=True):
    """The data of `CREATE_CHALLENGE`."""

    challenge_type: Literal["QR_CODE"]
    action_code: Annotated[str, Meta(max_length=64)] | None = None
    custom: dict[str, Any] | None = None


class Create(Body, kw_only=True):
    """The only message that a browser sends."""

    type: Literal["CREATE_CHALLENGE"]
    data: CreateData


def socket(sandbox: Sandbox) -> Callable[[WebSocket], Awaitable[None]]:
    """Return the WebSocket endpoint of a sandbox."""

    async def connected(websocket: WebSocket) -> None:
        sandbox.log.begin()
        status = 403
        try:
            caller = _caller(sandbox, websocket.scope["subprotocols"])
            status = 101
        except Refusal:
            await websocket.close(POLICY_VIOLATION)  # before the connection is accepted: 403
            return
        finally:
            sandbox.note(f"GET {PATH}", status)
        await websocket.accept(subprotocol=SUBPROTOCOL)
        await _Connection(sandbox, websocket, caller).run()

    return connected


def _caller(sandbox: Sandbox, protocols: list[str]) -> Caller:
    """Return the holder of a token, or of the tenant's id, as `POST /client/challenge/qr-code` does."""
    return authenticate(sandbox, endpoints.QR_CODE_CHALLENGE, authorization(protocols))


def authorization(protocols: list[str]) -> str:
    """Return the `Authorization` header that the subprotocols of the SDK stand for."""
    header = ""
    for protocol in protocols:
        if protocol.startswith(TOKEN):
            header = f"Bearer {protocol.removeprefix(TOKEN)}"
        elif protocol.startswith(TENANT):
            header = f"Basic {base64.b64encode(protocol.removeprefix(TENANT).encode()).decode()}"
    return header


class _Connection:
    """One browser: its challenges, and the last state of each that it was sent."""

    def __init__(self, sandbox: Sandbox, websocket: WebSocket, caller: Caller) -> None:
        self._sandbox, self._websocket, self._caller = sandbox, websocket, caller
        self._sent: dict[str, str] = {}

    async def run(self) -> None:
        """Answer messages and send changes of state until the browser leaves or sends something else."""
        receiving = asyncio.ensure_future(self._websocket.receive_text())
        try:
            while True:
                if (await asyncio.wait({receiving}, timeout=EVERY_SECONDS))[0]:
                    await self._create(receiving.result())
                    receiving = asyncio.ensure_future(self._websocket.receive_text())
                await self._send_changes()
        except (msgspec.MsgspecError, Refusal, KeyError):  # KeyError: a message of bytes
            await self._websocket.close(POLICY_VIOLATION)
        except WebSocketDisconnect:
            return
        finally:
            receiving.cancel()

    async def _create(self, text: str) -> None:
        asked = msgspec.json.decode(text, type=Create).data
        request = self._websocket
        challenge = begin(
            self._sandbox,
            self._caller.token,
            QrStart(action=asked.action_code, custom=asked.custom),
            user_agent=request.headers.get("user-agent"),
            ip_address=request.client.host if request.client else None,
        )
        self._sent[challenge.challenge_id] = "unclaimed"
        for old in list(self._sent)[:-MOST_WATCHED]:
            del self._sent[old]
        about = {"challengeType": "QR_CODE", "expiresAt": iso(challenge.expires_at)}
        await self._send("CHALLENGE_CREATED", challenge.challenge_id, "unclaimed", **about)

    async def _send_changes(self) -> None:
        now = self._sandbox.clock.now()
        for challenge_id, sent in list(self._sent.items()):
            challenge = self._sandbox.challenges.get(challenge_id, now)
            state = _state(challenge) if challenge else sent
            if challenge is None or state in ("approved", "rejected"):
                del self._sent[challenge_id]
            else:
                self._sent[challenge_id] = state
            if challenge is None or state == sent:
                continue
            if sent == "unclaimed" and state != "claimed":
                await self._send("STATE_CHANGE", challenge_id, "claimed")
            access = hand_out(self._sandbox, challenge) if state == "approved" else None
            await self._send("STATE_CHANGE", challenge_id, state, **({"accessToken": access} if access else {}))

    async def _send(self, kind: str, challenge_id: str, state: str, **about: str) -> None:
        message = {"type": kind, "data": {"challengeId": challenge_id, **about, "state": state}}
        await self._websocket.send_text(msgspec.json.encode(message).decode())


def _state(challenge: Challenge) -> str:
    """Return the state as the SDK names it. It is not approved while the action's webhook has not responded."""
    if challenge.approved is False:
        return "rejected"
    if is_verified(challenge):
        return "approved"
    return "claimed" if challenge.claimed_by else "unclaimed"
