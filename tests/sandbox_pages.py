"""The pages of a sandbox for tests: their addresses, a form that is sent, and a tenant with something on every page."""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import requests

from dlt_authsignal.sandbox import Fault, Limit, RunningSandbox
from tests.helpers import ask

HTML = {"Accept": "text/html,*/*;q=0.8"}
SECONDS = 10


@dataclass
class Receiver:
    """A receiver of webhooks that answers with a text."""

    url: str
    answer: bytes = b"thanks"
    status: int = 200
    taken: list[tuple[str, bytes, str]] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port, which keeps path, body and signature of each delivery."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            mine.taken.append((self.path, body, self.headers["x-signature-v2"]))
            self.send_response(mine.status)
            self.send_header("content-length", str(len(mine.answer)))
            self.end_headers()
            self.wfile.write(mine.answer)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mine = Receiver(f"http://127.0.0.1:{server.server_port}/webhooks")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield mine
        server.shutdown()


def address(running: RunningSandbox, path: str) -> str:
    """The address of a page; blank is the first one."""
    return running.control_url + (f"pages/{path}" if path else "")


def shown(running: RunningSandbox, path: str = "", status: int = 200, **query: Any) -> str:
    """The HTML of a page."""
    answer = requests.get(address(running, path), params=query, headers=HTML, timeout=SECONDS)
    assert answer.status_code == status, answer.text[:500]
    return answer.text


def words(page: str) -> str:
    """The text of a page, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def press(running: RunningSandbox, button: str, headers: dict[str, str] | None = None, **form: Any) -> Any:
    """The response to a button; it is not followed."""
    own = {"Origin": running.control_url.partition("/_sandbox")[0], **(headers or {})}
    where = address(running, f"do/{button}")
    return requests.post(where, data=form, headers=own, timeout=SECONDS, allow_redirects=False)


def user_of(page: str) -> list[str]:
    """The users that a page lists."""
    return re.findall(r'<th scope="row"><a class="own" href="[^"]*">([^<]*)</a>', page)


def something_everywhere(running: RunningSandbox, hook: str, *, user: str = "ann", name: str = "a rule") -> None:
    """Fill the tenant, so that every page has rows: users, attempts with steps, webhooks, faults, limits, snapshots.

    Args:
        running: The sandbox.
        hook: URL of a receiver of webhooks.
        user: A user id, which is also the user's attributes.
        name: Name of a rule and of a snapshot.
    """
    sandbox = running.sandbox
    sandbox.webhooks.configure(log_events_url=f"{hook}?token=hidden", authenticator_events_url=hook)
    quoted = quote(user, safe="")
    about = {"email": user, "phoneNumber": user, "username": user, "displayName": user, "custom": {user: user}}
    assert ask(running, "PATCH", f"/users/{quoted}", about)[0] == 200
    enrolment = {"verificationMethod": "SMS", "phoneNumber": f"+1{user}"}
    assert ask(running, "POST", f"/users/{quoted}/authenticators", enrolment)[0] == 200
    asked = {"ipAddress": user, "userAgent": user, "deviceId": user, "custom": {"a": user}, "idempotencyKey": user}
    status, tracked, _ = ask(running, "POST", f"/users/{quoted}/actions/signIn", asked)
    assert status == 200
    bearer = f"Bearer {tracked['token']}"
    assert ask(running, "POST", "/client/challenge/sms", {}, auth=bearer)[0] == 200
    message = sandbox.outbox.last()
    assert message is not None
    assert ask(running, "POST", "/client/verify/sms", {"verificationCode": "0"}, auth=bearer)[1]["isVerified"] is False
    verified = ask(running, "POST", "/client/verify/sms", {"verificationCode": message.code}, auth=bearer)[1]
    assert verified["isVerified"] is True
    email = {"verificationMethod": "EMAIL_MAGIC_LINK", "action": "signIn", "email": f"{user}@example.com"}
    ask(running, "POST", "/challenge", email)
    rule = {
        "ruleId": "rule",
        "name": name,
        "description": name,
        "isActive": True,
        "priority": 5,
        "actionCode": "signIn",
        "type": "REVIEW",
        "conditions": {"==": [{"var": "custom.a"}, name]},
    }
    sandbox.tenant = sandbox.tenant.put("rules", "rule", rule)
    running.faults.add(Fault(route="GET /users/{userId}", kind="body", body=name, times=None))
    running.limits.set(Limit(key="server", per_second=1000, burst=1000))
    running.snapshot(name[:100])
    ask(running, "POST", "/_sandbox/ip", {"address": user, "countryCode": user})
    running.clock.advance(minutes=11)
    sandbox.webhooks.flush()
