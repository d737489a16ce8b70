"""The pytest plugin, in test runs of its own."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

MODULE = "dlt_authsignal.sandbox.pytest_plugin"


@pytest.fixture
def run(pytester: pytest.Pytester, pytestconfig: pytest.Config) -> "Run":
    return Run(pytester, installed=pytestconfig.pluginmanager.hasplugin("authsignal_sandbox"))


class Run:
    """Runs tests with the plugin: by its entry point where the package is installed, else by name."""

    def __init__(self, pytester: pytest.Pytester, *, installed: bool) -> None:
        self._pytester = pytester
        self._arguments = ["-p", "no:cacheprovider", *([] if installed else ["-p", MODULE])]

    def __call__(self, tests: str, *arguments: str) -> pytest.RunResult:
        self._pytester.makepyfile(tests)
        return self._pytester.runpytest_inprocess(*self._arguments, "--strict-markers", *arguments)


def test_every_test_gets_its_own_sandbox(run: "Run") -> None:
    done = run("""
        import json
        from urllib.request import Request, urlopen
        import pytest

        def test_an_empty_one(authsignal_sandbox):
            assert authsignal_sandbox.sandbox.store.counts()["users"] == 0
            with urlopen(authsignal_sandbox.control_url) as answer:
                assert json.load(answer)["counts"]["users"] == 0

        @pytest.mark.authsignal_sandbox(users=3, seed=7)
        def test_one_with_people(authsignal_sandbox):
            assert authsignal_sandbox.sandbox.store.counts()["users"] == 3
    """)
    done.assert_outcomes(passed=2)


def test_the_nearest_marker_takes_precedence(run: "Run") -> None:
    done = run("""
        import pytest
        pytestmark = pytest.mark.authsignal_sandbox(users=2, seed=7, listing="refused")

        @pytest.mark.authsignal_sandbox(users=3)
        def test_both(authsignal_app):
            config = authsignal_app.state.sandbox.config
            assert (config.users, config.seed, config.listing) == (3, 7, "refused")
    """)
    done.assert_outcomes(passed=1)


def test_the_app_responds_without_a_socket(run: "Run") -> None:
    done = run("""
        import asyncio

        async def ask(app, path):
            sent = []
            scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
                     "headers": [], "client": ("127.0.0.1", 1), "server": ("authsignal", 80), "scheme": "http"}
            async def receive():
                return {"type": "http.request", "body": b"", "more_body": False}
            async def send(message):
                sent.append(message)
            await app(scope, receive, send)
            return sent[0]["status"]

        def test_statuses(authsignal_app):
            assert asyncio.run(ask(authsignal_app, "/_sandbox/")) == 200
            assert asyncio.run(ask(authsignal_app, "/v1/users")) == 401
    """)
    done.assert_outcomes(passed=1)


def test_an_unknown_setting_is_reported(run: "Run") -> None:
    done = run("""
        import pytest

        @pytest.mark.authsignal_sandbox(colour="blue")
        def test_it(authsignal_sandbox):
            pass
    """)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*pytest.mark.authsignal_sandbox*colour*"])


def test_the_marker_has_a_description(run: "Run") -> None:
    assert "authsignal_sandbox(users=0" in run("", "--markers").stdout.str()


@pytest.mark.parametrize("marker", ["(20)", "(users='3')", "(relying_party='https://x')", "(expected_origins='x')"])
def test_an_invalid_marker_is_refused(run: "Run", marker: str) -> None:
    done = run(f"""
        import pytest

        @pytest.mark.authsignal_sandbox{marker}
        def test_it(authsignal_sandbox):
            pass
    """)
    done.assert_outcomes(errors=1)


def test_a_test_run_without_a_sandbox_imports_nothing_of_it() -> None:
    code = f"import sys, {MODULE}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not set(done.stdout.split()) & {"dlt", "starlette", "uvicorn", "msgspec", "jwt", "aiohttp"}
