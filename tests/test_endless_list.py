"""A user list, or a query for user ids, that never ends: the run stops, and says so."""

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from yarl import URL

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.errors import PagingLoop, UserIdsUnreadable
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.user_ids import UserIdSources, candidates, sql_query
from dlt_authsignal.source.user_ids.listing import MOST_EMPTY, MOST_REPEATED
from tests.helpers import command

Page = Callable[[int], tuple[list[str], bool]]
"""Ids of the n-th page, and whether another page follows."""


class Server:
    """Answers the user list with given pages, each with another cursor."""

    def __init__(self, page: Page) -> None:
        pages = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet, or the client waits for its acknowledgement

            def do_GET(self) -> None:
                body = json.dumps(pages.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.page = page
        self.requests = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, path: str) -> Any:
        parts = urlsplit(path)
        if parts.path != "/v1/users":
            return [] if parts.path.count("/") != 3 else {"isEnrolled": False}
        self.requests += 1
        number = int(parse_qs(parts.query).get("lastEvaluatedUserId", ["0"])[0])
        ids, goes_on = self.page(number)
        page: dict[str, Any] = {"users": [{"userId": each, "email": f"{each}@x"} for each in ids]}
        return page | ({"lastEvaluatedUserId": str(number + 1)} if goes_on else {})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def served() -> Iterator[Callable[[Page], Server]]:
    servers: list[Server] = []

    def serve(page: Page) -> Server:
        servers.append(Server(page))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def listed(server: Server, **settings: Any) -> list[str]:
    """The ids that a sync would read."""

    async def read() -> list[str]:
        throttle, meter = RateLimiter(pace=RequestLimits(rate=1e6)), RunMetrics()
        async with connect(URL(server.url), {"server": basic_auth("key")}, throttle, meter) as api:
            return [one.user_id async for page in candidates(api, UserIdSources(**settings)) for one in page]

    return asyncio.run(read())


TEN = [f"u{number}" for number in range(10)]
ENDLESS: dict[str, Page] = {
    "the same page": lambda _: (TEN, True),
    "two pages in turn": lambda number: (TEN[:5] if number % 2 else TEN[5:], True),
    "some of the same users": lambda number: (random.Random(number).sample(TEN, 3), True),
    "one user of earlier pages": lambda number: (TEN if number == 0 else TEN[:1], True),
    "users and empty pages in turn": lambda number: (TEN if number % 3 == 0 else [], True),
}


@pytest.mark.parametrize("page", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_list_that_repeats_its_users_under_new_cursors_stops_the_run(
    served: Callable[[Page], Server], page: Page
) -> None:
    server = served(page)
    with pytest.raises(PagingLoop, match=r"only users that it had listed before.*would never end.*Nothing was loaded"):
        listed(server)
    assert server.requests <= 6 * MOST_REPEATED


@pytest.mark.parametrize("skipped", [{"exclude_users": frozenset(TEN)}, {"erased": frozenset(TEN)}])
def test_a_list_that_repeats_only_skipped_users_stops_the_run_too(
    served: Callable[[Page], Server], skipped: dict[str, Any]
) -> None:
    with pytest.raises(PagingLoop):
        listed(served(ENDLESS["the same page"]), **skipped)


def test_a_list_of_empty_pages_stops_the_run(served: Callable[[Page], Server]) -> None:
    server = served(lambda number: (TEN if number == 0 else [], True))
    with pytest.raises(PagingLoop, match="1,000 pages in a row without a user"):
        listed(server)
    assert server.requests == MOST_EMPTY + 1


def test_a_list_with_overlapping_and_empty_pages_is_read_to_its_end(served: Callable[[Page], Server]) -> None:
    def page(number: int) -> tuple[list[str], bool]:
        if number % 100 == 50:
            return [f"new{number}"], number < 250
        return (TEN[number % 10 :] if number % 100 < MOST_REPEATED - 1 else []), True

    assert listed(served(page)) == [*TEN, "new50", "new150", "new250"]


def test_the_command_says_that_the_list_does_not_end_and_loads_nothing(served: Callable[[Page], Server]) -> None:
    server = served(ENDLESS["the same page"])
    settings = {"BASE_URL": server.url, "API_SECRET_KEY": "key", "RATE": "max", "PRIVACY": "keep", "REGION": ""}
    done = command("sync", env={f"SOURCES__AUTHSIGNAL_SOURCE__{name}": value for name, value in settings.items()})
    assert done.returncode == 1
    assert "the list would never end. Nothing was loaded." in " ".join(done.stderr.split())


@pytest.mark.parametrize("value", ["'u1'", "null", "' '", "case x % 3 when 0 then 'a' when 1 then 'b' end"])
def test_a_query_that_returns_the_same_ids_for_ever_stops_the_run(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_query, "MOST_REPEATED", 10_000)
    sqlite3.connect("endless.db").close()
    endless = f"with recursive n(x) as (select 1 union all select x + 1 from n) select {value} as user_id from n"
    found = sql_query.from_query(sql_query.parse(f"sqlite:///endless.db?query={endless}"))
    with pytest.raises(UserIdsUnreadable, match="10,000 rows in a row without a new user id"):
        list(found)


def test_a_query_returns_each_id_once_with_its_first_row() -> None:
    sqlite3.connect("crm.db").close()
    some = "select 'a' as user_id union all select 'a' union all select 'b' union all select null union all select 'a'"
    found = sql_query.from_query(sql_query.parse(f"sqlite:///crm.db?query={some}"))
    assert [(one.user_id, one.position) for one in found] == [("a", 1), ("b", 3)]
