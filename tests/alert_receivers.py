"""A receiver of alerts: a real HTTP server that remembers what it got, and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_c2l4dGVlbi1ieXRlcy1vci1tb3Jl"
PATH = "/services/T000/B000/a-secret-path"


@dataclass
class AlertReceiver:
    """What came, and what is answered: the first status of `answers`, then 200."""

    port: int
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before_answering: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    @property
    def ids(self) -> list[str]:
        """Ids of the detections that came by webhook, checked with the library of Standard Webhooks."""
        from standardwebhooks import Webhook  # stand-ins' environments do not have it

        checked = [Webhook(SECRET).verify(body, headers) for headers, body in self.received]
        assert [each["data"]["detection_id"] for each in checked] == [
            headers["webhook-id"] for headers, _ in self.received
        ]
        return [headers["webhook-id"] for headers, _ in self.received]

    def environment(self, receiver: str = "webhook") -> dict[str, str]:
        settings = {f"ALERTS__{receiver.upper()}_URL": self.url, "ALERTS__BACKOFF": "0.01"}
        return settings | ({"ALERTS__WEBHOOK_SECRET": SECRET} if receiver == "webhook" else {})


@contextmanager
def receiving_alerts() -> Iterator[AlertReceiver]:
    """A receiver on this machine, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            assert self.path == PATH
            if found.before_answering:
                found.before_answering()
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *arguments: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = AlertReceiver(port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
