"""docs/dlthub-page.md: each row that needs no internet is true. A test names the rows that it proves by first cell."""

import base64
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path
from typing import TypeVar

import dlt
import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.assistant.install import TOOLKIT
from dlt_authsignal.destination.registry import DESTINATIONS, OBJECT_STORES
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.source.config.source_settings import SourceSettings
from tests.ceremonies import ORIGIN, Visitor
from tests.helpers import ROOT, command, python, rows, sync_from

PAGE = (ROOT / "docs" / "dlthub-page.md").read_text("utf-8")
REST_API = (ROOT / "docs" / "rest-api.md").read_text("utf-8")
VERDICTS = {"as printed", "type instead", "depends", "tested", "emulated", "not run"}
SIX = (
    "user_authenticators",
    "passkey_register_options",
    "passkey_authentication_options",
    "passkey_initiate_challenge",
    "passkey_register",
    "passkey_verify_authentication",
)
EXAMPLE = """
config = {
    "client": {
        "base_url": "https://api.authsignal.com/v1/client",
        "auth": {"type": "bearer, http_basic", "token, tenant_id": token, tenant_id},
    },
}
"""
PROVEN: list[str] = []
Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Row:
    promise: str
    here: str
    advice: str


def page_rows() -> list[Row]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| on the"))]
    return [Row(*(cell.strip() for cell in line.strip("| ").split(" | ", 2))) for line in lines]


def advice(promise: str) -> str:
    (row,) = [row for row in page_rows() if row.promise == promise]
    return row.advice


def proves(*promises: str) -> Callable[[Test], Test]:
    """Mark a test as the proof of these rows."""
    PROVEN.extend(promises)
    return lambda test: test


def dlt_tool(name: str, *arguments: str) -> tuple[int, str]:
    """dlt's own command `dlt` or `dlthub`: exit code and output."""
    main = {"dlt": "_main", "dlthub": "_main_dlthub"}[name]
    code = f"import sys; from dlt._workspace.cli._dlt import {main} as main; sys.argv[0] = {name!r}; sys.exit(main())"
    done = python("-c", code, *arguments)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def visitor(empty: RunningSandbox) -> Visitor:
    """A user with a passkey, and a token of theirs."""
    ada = Visitor(empty, user_id="ada").track()
    ada.register()
    return ada


@pytest.fixture
def project(visitor: Visitor, workdir: Path) -> Path:
    """A folder as the page describes it: the script, and secrets.toml with token and tenant id."""
    shutil.copy(ROOT / "authsignal_pipeline.py", workdir)
    shutil.copytree(ROOT / ".dlt", workdir / ".dlt", ignore=shutil.ignore_patterns("secrets.toml"))
    lines = f'[sources.authsignal_source]\ntoken = "{visitor.token}"\ntenant_id = "tenant-of-mine"\n'
    place = f'base_url = "{visitor.running.url}"\n'
    (workdir / ".dlt" / "secrets.toml").write_text(lines + place, encoding="utf-8")
    return workdir


@proves('`uv pip install "dlt[workspace]"`')
def test_the_pinned_dlt_has_no_extra_called_workspace() -> None:
    extras = distribution("dlt").metadata.get_all("Provides-Extra") or []
    assert "workspace" not in extras
    assert distribution("dlt").version.startswith("1.31.")


@pytest.mark.deep
@proves('"start loading Authsignal data in under 10 minutes"')
def test_the_users_of_ten_minutes_follow_from_the_default_rate(seeded: RunningSandbox) -> None:
    said = int(re.findall(r"about ([\d,]+) users in 10 minutes", PAGE)[0].replace(",", ""))
    seeded.sandbox.log.clear()
    sync_from(seeded)
    requests = sum(seeded.sandbox.log.by_route.values())
    per_user = requests // 40
    assert per_user == 4
    assert 0.9 < said * per_user / float(SourceSettings().rate) / 600 <= 1


@proves('"handles authentication, pagination, and schema evolution automatically"')
def test_pages_of_users_are_followed_and_new_fields_become_columns(seeded: RunningSandbox) -> None:
    sync_from(seeded, page_size=15, tables=["users"])
    assert rows("select count(*) from users") == [(40,)]
    known = rows("select column_name from information_schema.columns where table_name = 'users'")
    seeded.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="unknown_fields"))
    sync_from(seeded, tables=["users"], full=True)
    assert len(rows("select column_name from information_schema.columns where table_name = 'users'")) > len(known)


@proves("`https://api.authsignal.com/v1/client`")
def test_the_base_url_is_that_of_the_default_region() -> None:
    assert f"{REGIONS['us']}/client" == "https://api.authsignal.com/v1/client"
    assert [region for region in REGIONS if f"`{region}`" not in PAGE and f'"{region}"' not in PAGE] == []


@proves(
    *(f"`{name}`" for name in SIX),
    "bearer token, or basic auth with the tenant id and an empty password",
    '"dlt creates one table per resource"',
)
@pytest.mark.parametrize("paths", ["authsignal", "dlthub"])
def test_the_six_resources_load_under_their_names_with_both_sets_of_paths(empty: RunningSandbox, paths: str) -> None:
    from dlt_authsignal.passkey import SoftwarePasskey

    source = authsignal_source(
        token=Visitor(empty).track().token,
        tenant_id=empty.sandbox.config.tenant_id,
        base_url=empty.url,
        authenticator=SoftwarePasskey(origin=ORIGIN),
        action="signIn",
        paths=paths,
    )
    assert set(SIX) <= set(source.resources)
    empty.sandbox.log.clear()
    dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data").run(
        source.with_resources(*SIX)
    )
    called = set(empty.sandbox.log.by_route)
    assert ("POST /client/user-authenticators/passkey/initiate-challenge" in called) == (paths == "dlthub")
    assert [rows(f"select count(*) from {name}") for name in SIX[1:]] == [[(1,)]] * 5


@proves('"call the Server API\'s Track Action endpoint" for a token')
def test_track_action_returns_a_token_of_ten_minutes(empty: RunningSandbox) -> None:
    payload = Visitor(empty).track().token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["exp"] - claims["iat"] == 600


@proves(
    "`python authsignal_pipeline.py`",
    "`[sources.authsignal_source]` with `token` and `tenant_id`",
    '`dlt.pipeline("authsignal_pipeline").dataset()`',
    "`data.user_authenticators.df()`",
    "`SELECT * FROM authsignal_data.user_authenticators LIMIT 10;`",
)
def test_the_script_runs_and_the_queries_read_its_data(project: Path) -> None:
    done = python("authsignal_pipeline.py")
    assert done.returncode == 0, done.stderr
    lines = ('data = dlt.pipeline("authsignal_pipeline").dataset()', "print(data.user_authenticators.df().head().T)")
    assert "ada" in python("-c", "\n".join(("import dlt", *lines))).stdout
    assert len(rows("SELECT * FROM authsignal_data.user_authenticators LIMIT 10;")) == 1


@proves(
    '"1 load package(s) were loaded to destination duckdb and into dataset authsignal_data"',
    "`authsignal_source(token, tenant_id)`",
)
def test_the_source_runs_in_a_plain_dlt_pipeline_that_prints_the_lines_of_the_page(project: Path) -> None:
    lines = (
        "import dlt",
        "from dlt_authsignal import authsignal_source",
        'name = "authsignal_pipeline"',
        'pipeline = dlt.pipeline(pipeline_name=name, destination="duckdb", dataset_name="authsignal_data")',
        "print(pipeline.run(authsignal_source()))",
    )
    done = python("-c", "\n".join(lines))
    assert done.returncode == 0, done.stderr
    assert "Pipeline authsignal_pipeline load step finished in" in done.stdout  # the page: "completed in"
    assert "1 load package(s) were loaded to destination duckdb and into dataset authsignal_data" in done.stdout
    assert "is LOADED and contains no failed jobs" in done.stdout
    assert (project / "authsignal_pipeline.duckdb").exists()


@proves("environment variables and vaults")
def test_a_token_of_the_environment_is_found(visitor: Visitor) -> None:
    settings = {"TOKEN": visitor.token, "TENANT_ID": "t", "SOURCES__AUTHSIGNAL_SOURCE__BASE_URL": visitor.running.url}
    done = command("sync", env=settings)
    assert done.returncode == 0, done.stderr


@proves("`dlt ai init --agent claude`", "`dlt ai toolkit rest-api-pipeline install`")
@pytest.mark.parametrize(
    "arguments", [("init", "--agent", "claude"), ("toolkit", "rest-api-pipeline", "install")], ids=["init", "toolkit"]
)
def test_dlt_ai_says_that_it_moved(arguments: tuple[str, ...]) -> None:
    _, printed = dlt_tool("dlt", "ai", *arguments)
    assert "command moved to dlthub" in printed
    assert list(Path().glob(".claude*")) == []


def local_workbench(folder: Path, *toolkits: str) -> str:
    """Toolkits of the names of dltHub's, each with one skill: what the command downloads elsewhere."""
    for name in toolkits:
        tree = folder / "workbench" / name
        (tree / ".claude-plugin").mkdir(parents=True)
        about = {"name": name, "version": "0", "description": name}
        (tree / ".claude-plugin" / "plugin.json").write_text(json.dumps(about), encoding="utf-8")
        (tree / ".claude-plugin" / "toolkit.json").write_text('{"dependencies": [], "listed": true}', encoding="utf-8")
        (tree / "skills" / f"of-{name}").mkdir(parents=True)
        skill = f"---\nname: of-{name}\ndescription: a test\n---\n"
        (tree / "skills" / f"of-{name}" / "SKILL.md").write_text(skill, encoding="utf-8")
    return str(folder)


@pytest.mark.deep
@proves(
    "`dlthub ai init --agent claude`",
    "`dlt ai toolkit data-exploration install`",
    "`dlt ai toolkit dlthub-runtime install`",
    "`dlt ai toolkit rest-api-pipeline install`",
)
def test_the_commands_that_replace_dlt_ai_come_with_dlt(tmp_path: Path) -> None:
    toolkits = ("rest-api-pipeline", "data-exploration", "dlthub-runtime")
    place = local_workbench(tmp_path / "workbench-of-a-test", "init", *toolkits)
    code, printed = dlt_tool("dlthub", "ai", "init", "--agent", "claude", "--location", place)
    assert (code, Path(".claude/skills/of-init/SKILL.md").exists()) == (0, True), printed
    for name in toolkits:
        assert f"`dlthub ai toolkit install {name}`" in PAGE
        code, printed = dlt_tool("dlthub", "ai", "toolkit", "install", name, "--agent", "claude", "--location", place)
        assert (code, Path(f".claude/skills/of-{name}/SKILL.md").exists()) == (0, True), printed
    assert dlt_tool("dlthub", "ai", "toolkit", "data-exploration", "install")[0] != 0


@proves(
    "rules, a skill for secrets, ignore files, an MCP server",
    '"it never needs to read your secrets.toml directly"',
    "`/find-source` to load Authsignal into DuckDB",
    "`dlt ai toolkit data-exploration install`",
    "`dlt ai toolkit dlthub-runtime install`",
)
def test_the_skills_that_the_page_offers_are_installed_with_rules_and_server() -> None:
    assert command("ai", "init", "--agent", "claude").returncode == 0
    for skill in set(re.findall(r"`(authsignal-[a-z-]+)`", PAGE)):
        assert Path(f".claude/skills/{skill}/SKILL.md").exists(), skill
    assert "Never read, print or search `.dlt/secrets.toml`" in Path(".claude/rules/authsignal-conduct.md").read_text()
    assert ".dlt/secrets.toml" in Path(".claudeignore").read_text()
    assert "authsignal" in json.loads(Path(".mcp.json").read_text())["mcpServers"]
    assert command("ai", "toolkit").stdout.strip() == str(TOOLKIT)


@pytest.mark.deep
@proves("`dlt pipeline authsignal_pipeline show`", "pipeline state, load metrics, schema, queries")
def test_the_show_command_of_dlt_needs_the_commercial_package_and_ours_does_not(project: Path) -> None:
    python("authsignal_pipeline.py").check_returncode()
    assert "Install dlt[hub] for workspace dashboard" in dlt_tool("dlt", "pipeline", "authsignal_pipeline", "show")[1]
    assert command("show", "--help").returncode == 0  # tests/test_show.py opens it in a browser


def test_the_commercial_package_is_not_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    locks = [(ROOT / name).read_text("utf-8") for name in ("requirements.lock", "requirements-dev.lock")]
    extras = project["project"]["optional-dependencies"].values()
    named = [*project["project"]["dependencies"], *chain.from_iterable(extras)]
    assert [name for name in named if re.match(r"dlthub|dlt\[[^]]*hub", name)] == []
    assert [lock for lock in locks if re.search(r"^dlthub", lock, re.MULTILINE)] == []


@proves('`"token, tenant_id": token, tenant_id`')
def test_the_example_of_the_page_is_not_valid_python() -> None:
    with pytest.raises(SyntaxError):
        compile(EXAMPLE, "dlthub.com", "exec")
    (corrected,) = re.findall(r"```python\n(.*?)```", REST_API, re.DOTALL)
    compile(corrected, "docs/rest-api.md", "exec")  # tests/test_rest_api_page.py runs it


@proves('`{"name": "passkey_authentication", …}` with GET', '"append entries from the resource table"')
def test_the_corrected_example_has_all_six_resources() -> None:
    (corrected,) = re.findall(r"```python\n(.*?)```", REST_API, re.DOTALL)
    assert set(re.findall(r'"name": "(\w+)"', corrected)) == set(SIX)
    source = authsignal_source(token=None, tenant_id="t", base_url="http://127.0.0.1:1")
    assert list(source.with_resources("passkey_verify_authentication").selected_resources) == [SIX[-1]]


@proves(*(f'`"{name}"`' for name in ("duckdb", "postgres", "bigquery", "snowflake", "redshift", "databricks")))
@pytest.mark.parametrize("name", ["duckdb", "postgres", "bigquery", "snowflake", "redshift", "databricks"])
def test_a_destination_has_the_evidence_and_the_extra_of_the_page(name: str) -> None:
    (row,) = [row for row in page_rows() if row.promise == f'`"{name}"`']
    known = DESTINATIONS[name]
    install = f"`pip install 'dlt-authsignal[{known.extra}]'`" if known.extra else "Included."
    assert (row.here, row.advice) == (known.evidence, install)


@proves('`"filesystem"`', '`"filesystem"` on S3')
def test_files_need_the_extras_of_the_page_and_plain_parquet_is_refused(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for scheme, place in {"s3": "S3", "gs": "GCS", "az": "Azure"}.items():
        named = re.findall(r"\[([a-z0-9,]+)\]'`", advice(f'`"filesystem"` on {place}'))[0].split(",")
        assert named == [DESTINATIONS["filesystem"].extra, OBJECT_STORES[scheme][1]]
        assert set(named) <= extras.keys()
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "lake")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__TABLE_FORMAT", "parquet")
    with pytest.raises(ConfigurationError, match="syncs would add duplicates"):
        sync_from(empty, destination="filesystem")


def test_every_row_has_a_proof_or_says_that_it_was_not_run() -> None:
    found = page_rows()
    assert len(found) > 40
    assert {row.here for row in found} <= VERDICTS
    names = [row.promise for row in found]
    assert set(PROVEN) - set(names) == set()
    assert [row.promise for row in found if row.promise not in PROVEN and row.here != "not run"] == []
