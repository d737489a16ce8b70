"""Bad input and a bad network: a clear message, the right exit code, nothing loaded."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from dlt_authsignal.api.client_endpoints import INITIATE_CHALLENGE
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.errors import (
    AuthsignalError,
    ConfigurationError,
    CredentialsMissing,
    ListingRefused,
    MutationRefused,
    PagingLoop,
    RateLimited,
    RequestRefused,
    ServerFault,
    TokenExpired,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
    UserIdsUnreadable,
)
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.sessions.tokens import mint
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.session import read_only_session, writing_session
from dlt_authsignal.source.user_ids.files import from_file
from tests.helpers import SECRET, at, command, rows, sync_from, table
from tests.loaded import synced
from tests.ports import free_port
from tests.tiers import deep_after


def token_of(running: RunningSandbox, user_id: str) -> str:
    sandbox = running.sandbox
    return mint(
        sandbox.config,
        sandbox.clock.now(),
        user_id=user_id,
        action_code="signIn",
        idempotency_key="k",
        scope="read:authenticators",
    )


def test_a_wrong_key_exits_2_and_reports_key_and_region(seeded: RunningSandbox) -> None:
    done = command("sync", env=at(seeded, API_SECRET_KEY="wrong-CANARY"))
    assert done.returncode == 2
    assert "401" in done.stderr
    assert "region" in done.stderr
    assert "CANARY" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_missing_credentials_exit_2_and_say_where_to_put_them() -> None:
    done = command("sync")
    assert done.returncode == 2
    assert ".dlt/secrets.toml" in done.stderr
    assert "dlt-authsignal demo" in done.stderr


def test_an_unreachable_host_exits_1_and_is_reported() -> None:
    env = {
        "SOURCES__AUTHSIGNAL_SOURCE__BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
        "SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": "k",
        "SOURCES__AUTHSIGNAL_SOURCE__ATTEMPTS": "2",
    }
    done = command("sync", env=env)
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"region": "mars", "base_url": None}, "mars.*us, au, eu, ca"),
        ({"base_url": "ftp://x"}, "http"),
        ({"base_url": "https://user:pw@host/v1"}, "credentials"),
        ({"apis": ["moon"]}, "moon"),
        ({"concurrency": 0}, "concurrency"),
        ({"page_size": -5}, "page_size"),
        ({"pipeline_name": "a/b"}, "a/b"),
        ({"rate": -1.0}, "rate"),
        ({"rate": "fast"}, "fast"),
    ],
)
def test_unusable_settings_are_reported(seeded: RunningSandbox, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        sync_from(seeded, **settings)


def test_an_api_without_its_credential_is_refused(seeded: RunningSandbox) -> None:
    with pytest.raises(CredentialsMissing, match="Client API"):
        sync_from(seeded, apis=["client"])


def test_placeholders_are_not_accepted_as_credentials(empty: RunningSandbox) -> None:
    with pytest.raises(CredentialsMissing):
        sync_from(empty, api_secret_key="your_server_secret_here", token="<configure me>")


def test_a_tenant_that_does_not_list_its_users_is_reported(seeded: RunningSandbox) -> None:
    seeded.sandbox.configure(listing="refused")
    with pytest.raises(ListingRefused, match=r"does not list its users.*--users-from"):
        sync_from(seeded)


def test_an_expired_token_is_reported_with_the_next_step(seeded: RunningSandbox) -> None:
    token = token_of(seeded, next(iter(seeded.sandbox.store.users())).user_id)
    seeded.sandbox.clock.advance(timedelta(minutes=11))
    with pytest.raises(TokenExpired, match=r"expired.*track") as raised:
        sync_from(seeded, api_secret_key=None, token=token)
    assert raised.value.exit_code == 2
    assert token not in str(raised.value)


def test_a_malformed_token_is_refused(seeded: RunningSandbox) -> None:
    with pytest.raises(Unauthorized, match="token"):
        sync_from(seeded, api_secret_key=None, token="not-a-token")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(route="GET /users/{userId}/devices", kind="html", times=None), UnexpectedAnswer),
        pytest.param(
            Fault(route="GET /users/{userId}/actions", kind="cut", times=None), Unreachable, marks=pytest.mark.deep
        ),
        *deep_after(
            0,
            [
                (
                    Fault(route="GET /users/{userId}/authenticators", kind="body", body="{}", times=None),
                    UnexpectedAnswer,
                ),
                (Fault(route="GET /users/{userId}/devices", kind="body", body="[1]", times=None), UnexpectedAnswer),
            ],
        ),
        *deep_after(
            0,
            [
                (Fault(route="GET /users/{userId}/devices", kind="status", status=500, times=None), ServerFault),
                (Fault(route="GET /users/{userId}/devices", kind="status", status=404, times=None), RequestRefused),
                (Fault(route="*", kind="status", status=429, times=None, headers={"Retry-After": "0"}), RateLimited),
                (Fault(route="GET /users", kind="status", status=429, headers={"Retry-After": "86400"}), RateLimited),
                (Fault(route="GET /users", kind="body", body='{"users":"all"}', times=None), UnexpectedAnswer),
                (
                    Fault(route="GET /users", kind="body", body='{"users":[{"email":"x"}]}', times=None),
                    UnexpectedAnswer,
                ),
            ],
        ),
        pytest.param(
            Fault(route="GET /users", kind="body", body='{"users":[],"lastEvaluatedUserId":"same"}', times=None),
            PagingLoop,
            marks=pytest.mark.deep,
        ),
    ],
    ids=["html", "cut body", "object for array", "numbers for objects", "500", "404 of a known user", "429 wall"]
    + ["429 for a day", "users is text", "user without id", "repeated cursor"],
)
def test_a_permanent_fault_stops_the_sync_and_loads_nothing(
    seeded: RunningSandbox, fault: Fault, expected: type[AuthsignalError]
) -> None:
    synced(seeded)
    before = table("users"), table("user_devices")
    seeded.sandbox.faults.add(fault)
    with pytest.raises(expected) as raised:
        sync_from(seeded, attempts=2, full=True)
    assert raised.value.exit_code == 1
    assert (table("users"), table("user_devices")) == before
    seeded.sandbox.faults.clear()
    assert sync_from(seeded, full=True).tables["users"].changed == 0


def test_ids_unknown_to_authsignal_are_reported_and_not_loaded_as_users(seeded: RunningSandbox) -> None:
    known = next(seeded.sandbox.store.users()).user_id
    Path("ids.txt").write_text(f"{known}\nnobody\n\nnobody\nno/one\n", encoding="utf-8")
    report = sync_from(seeded, users_from="ids.txt")
    assert (report.unknown_users, report.unknown_positions) == (2, [2, 5])
    assert [row["user_id"] for row in table("users")] == [known]
    assert rows("select user_id, id_source, position from unknown_user_ids order by position") == [
        ("nobody", "file", 2),
        ("no/one", "file", 5),
    ]


def test_a_listed_user_with_404_responses_only_is_reported_as_unknown(empty: RunningSandbox) -> None:
    empty.sandbox.faults.add(Fault(route="GET /users", kind="body", body='{"users":[{"userId":"gone"}]}'))
    for part in ("", "/authenticators", "/actions", "/devices"):
        empty.sandbox.faults.add(Fault(route="GET /users/{userId}" + part, kind="status", status=404, times=None))
    assert sync_from(empty).unknown_users == 1


@pytest.mark.deep
def test_rate_limit_responses_do_not_count_as_failed_attempts(seeded: RunningSandbox) -> None:
    route = "GET /authenticators"
    seeded.sandbox.faults.add(Fault(route=route, kind="status", status=429, times=4, headers={"Retry-After": "0"}))
    seeded.sandbox.faults.add(Fault(route=route, kind="status", status=503, times=1))
    assert sync_from(seeded, attempts=2).retries == 5


@pytest.mark.deep
def test_a_user_without_attributes_but_with_actions_is_loaded(empty: RunningSandbox) -> None:
    from authsignal.client import AuthsignalClient

    AuthsignalClient("sandbox-server-secret", empty.url).track("bare", "signIn", {})
    Path("ids.txt").write_text("bare\nnobody\n", encoding="utf-8")
    sync_from(empty, users_from="ids.txt")
    assert [row["user_id"] for row in table("users")] == ["bare"]


def test_a_user_deleted_after_listing_is_reported_as_unknown(empty: RunningSandbox) -> None:
    body = '{"users":[{"userId":"gone","email":"g@x","isEnrolled":true}]}'
    empty.sandbox.faults.add(Fault(route="GET /users", kind="body", body=body))
    report = sync_from(empty)
    assert report.unknown_users == 1
    assert table("users") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    deep_after(
        4,
        [
            ("missing.txt", None, "No such file"),
            ("ids.xlsx", b"x", "txt, csv"),
            ("quote.csv", b'user_id\n"u1\nu2\n', "malformed"),
            ("half.jsonl", b'"a\\ud800b"\n', "not valid Unicode"),
            ("people.csv", b"u-1,alice@example.com\n", r"found: no names"),
            ("empty.txt", b"\n\n", "no user ids"),
            ("latin.txt", "zürich".encode("latin-1"), "UTF-8"),
            ("two.csv", b"name,mail\na,b\n", "users_column"),
            ("bad.jsonl", b'{"user_id":"a"}\n{oops\n', "line 2 is not JSON"),
            ("other.jsonl", b'{"name":"a"}\n', "found: name"),
            ("null.jsonl", b"null\n", "line 1"),
            ("bad.parquet", b"not parquet", "not a Parquet file"),
            ("missing.parquet", None, "no such file"),
        ],
    ),
)
def test_an_unreadable_user_id_file_is_reported_with_its_fault(
    seeded: RunningSandbox, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(UserIdsUnreadable, match=message) as raised:
        sync_from(seeded, users_from=name)
    assert raised.value.exit_code == 2


@pytest.mark.deep
def test_the_sync_after_an_unreadable_user_id_file_works(seeded: RunningSandbox) -> None:
    with pytest.raises(UserIdsUnreadable):
        sync_from(seeded, users_from="missing.txt")
    assert sync_from(seeded).tables["users"].new == 40


BASE = URL("http://127.0.0.1:9/v1")


async def _leave(make: Callable[[], ClientSession], method: str, path: str) -> None:
    async with make() as session:
        await session.request(method, f"{BASE}{path}")


def test_the_read_only_session_sends_nothing_but_get() -> None:
    with pytest.raises(MutationRefused, match="POST"):
        asyncio.run(_leave(lambda: read_only_session(RequestLimits(), BASE), "POST", "/users/u/actions/signIn"))


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/users/u/actions/signIn"), ("DELETE", "/client/challenge"), ("POST", "/challenge")]
)
def test_the_writing_session_sends_only_allowed_calls(method: str, path: str) -> None:
    with pytest.raises(MutationRefused, match="not one of the allowed calls"):
        asyncio.run(_leave(lambda: writing_session(RequestLimits(), BASE, [INITIATE_CHALLENGE.route()]), method, path))


@pytest.mark.parametrize(
    "arguments",
    [["sync", "--tables", "nope"], ["sync", "--rate", "0"], ["sync", "--region", "mars"], ["sandbox", "--port", "-1"]]
    + [["nonsense"], ["models", "show", "nope"], ["sandbox", "--now", "soon"], ["demo", "--users", "0"]],
    ids=" ".join,
)
def test_wrong_usage_exits_2_without_a_traceback(arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_a_dataset_named_like_the_duckdb_file_is_refused_before_anything_is_read(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match=r'dataset "Mine" and the file mine\.duckdb.*--dataset'):
        sync_from(empty, dataset="Mine", pipeline_name="mine")
    assert empty.sandbox.log.by_route == {}
    assert sync_from(empty, dataset="other", pipeline_name="mine").tables["users"].total == 0


def test_an_unexpected_error_keeps_its_traceback() -> None:
    def fail() -> None:
        with translate_errors("duckdb"), translate_errors("duckdb"):
            raise AttributeError("unforeseen")

    with pytest.raises(AttributeError, match="unforeseen") as raised:
        fail()
    assert raised.value.__cause__ is None


def test_a_command_reads_settings_saved_by_notepad(seeded: RunningSandbox, workdir: Path) -> None:
    Path(".dlt").mkdir(exist_ok=True)
    lines = f'[sources.authsignal_source]\nbase_url = "{seeded.url}"\napi_secret_key = "{SECRET}"\n'
    Path(".dlt/secrets.toml").write_text(lines, "utf-8-sig")
    done = command("doctor")
    assert done.returncode == 0, done.stderr
    assert "✓ api_secret_key" in done.stdout
    assert Path(".dlt/secrets.toml").read_text("utf-8-sig") == lines


@pytest.mark.parametrize("arguments", [["doctor"], ["init", "--api-secret-key", "a-key", "--no-check"]])
def test_settings_in_utf_16_are_refused_with_the_file_name(workdir: Path, arguments: list[str]) -> None:
    Path(".dlt").mkdir(exist_ok=True)
    Path(".dlt/secrets.toml").write_text("[sources.authsignal_source]\n", "utf-16")
    done = command(*arguments)
    assert done.returncode == 2
    assert "secrets.toml is UTF-16 text" in done.stderr


def test_ids_saved_by_notepad_are_read_without_the_byte_order_mark(workdir: Path) -> None:
    for name, text in {"ids.txt": "u1\n", "ids.csv": "user_id\nu1\n", "ids.jsonl": '"u1"\n'}.items():
        Path(name).write_text(text, "utf-8-sig")
        assert [found.user_id for found in from_file(name)] == ["u1"]
