"""docs/rest-api.md: the declarative pipeline runs as it is printed, with secrets as the page says."""

import re
from pathlib import Path

import pytest

from dlt_authsignal.sandbox import RunningSandbox
from tests.ceremonies import ORIGIN, Visitor
from tests.helpers import python, rows

PAGE = (Path(__file__).parents[1] / "docs" / "rest-api.md").read_text("utf-8")
PASSKEYS = "/client/user-authenticators/passkey"
OURS = {f"POST {PASSKEYS}", "POST /client/challenge", "POST /client/verify/passkey"}
DLTHUBS = {f"POST {PASSKEYS}/{step}" for step in ("register", "initiate-challenge", "authentication")}


def printed(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(block)


@pytest.fixture
def visitor(empty: RunningSandbox, workdir: Path) -> Visitor:
    """A user of the sandbox, and a folder with the page's script and secrets."""
    ada = Visitor(empty, user_id="ada").track()
    (workdir / "authsignal_pipeline.py").write_text(printed("python"), encoding="utf-8")
    secrets = printed("toml").replace("https://app.example.com", ORIGIN)
    for value in (ada.token, empty.sandbox.config.tenant_id):
        secrets = secrets.replace('"…"', f'"{value}"', 1)
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt" / "secrets.toml").write_text(f'{secrets}base_url = "{empty.url}/client"\n', encoding="utf-8")
    return ada


def run(*arguments: str) -> None:
    done = python(*arguments)
    assert done.returncode == 0, done.stderr
    assert "contains no failed jobs" in done.stdout


def test_the_script_reads_the_user_s_authenticators_and_changes_nothing(visitor: Visitor) -> None:
    visitor.register()
    visitor.running.sandbox.log.clear()
    run("authsignal_pipeline.py")
    run("authsignal_pipeline.py")
    assert dict(visitor.running.sandbox.log.by_route) == {"GET /client/user-authenticators": 2}
    assert rows("select verification_method, count(*) from user_authenticators group by all") == [("PASSKEY", 1)]


@pytest.mark.parametrize("paths", ["authsignal", "dlthub"])
def test_all_six_resources_load_with_both_sets_of_paths(visitor: Visitor, workdir: Path, paths: str) -> None:
    script = workdir / "authsignal_pipeline.py"
    if paths == "dlthub":
        code, replaced = re.subn(r'"path": [^#\n]+,  # the page: (.+)', r'"path": \1,', script.read_text("utf-8"))
        assert replaced == 3
        script.write_text(code, encoding="utf-8")
    names = re.findall(r'"name": "(\w+)"', printed("python"))
    assert len(names) == 6
    run("-c", f"from authsignal_pipeline import get_data; get_data(*{names})")
    called = set(visitor.running.sandbox.log.by_route)
    assert (called & OURS, called & DLTHUBS) == ((OURS, set()) if paths == "authsignal" else (set(), DLTHUBS))
    assert [rows(f"select count(*) from {name}") for name in names if name != "user_authenticators"] == [[(1,)]] * 5
    assert rows("select is_verified, user_id from passkey_register") == [(True, "ada")]
    assert rows("select is_verified, user_id from passkey_verify_authentication") == [(True, "ada")]


@pytest.mark.deep
def test_a_resource_runs_the_resources_it_needs_and_stores_no_token(visitor: Visitor) -> None:
    names = ("passkey_register", "passkey_verify_authentication")
    run("-c", f"from authsignal_pipeline import get_data; get_data(*{names})")
    tables = "select table_name from information_schema.tables where table_name like 'passkey%' order by all"
    assert rows(tables) == [(name,) for name in names]
    loaded = str([rows(f"select * from {name}") for name in names])
    assert "PASSKEY" in loaded
    assert not re.search(r"eyJ[\w-]+\.eyJ", loaded)
