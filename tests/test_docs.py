"""Documentation says what the code does."""

import ast
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.app.control.routes import control_routes
from dlt_authsignal.sandbox.app.control.settings import SWITCHES
from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED
from dlt_authsignal.sandbox.core.config import SEEDED_NOW
from dlt_authsignal.sandbox.core.faults import KINDS
from dlt_authsignal.sandbox.sandbox import Sandbox
from tests.helpers import at, command, rows

ROOT = Path(__file__).parents[1]


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate_docs.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md"])
def test_pages_show_the_output_of_the_demo(demo: Path, page: str) -> None:
    shown = re.search(r"<!-- demo -->\n```text\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert shown
    printed = words((demo / "demo.txt").read_text("utf-8"))
    assert [line for line in words(shown.group(1)) if line not in [*printed, "…"]] == []
    assert any("Passkey usage rate" in line for line in printed)


def test_the_six_questions_are_answered_on_the_data_of_the_demo(demo: Path) -> None:
    queries = blocks("questions.md", "sql")
    assert len(queries) == 6
    for query in queries:
        assert rows(query, "authsignal_demo.duckdb"), query


def test_the_probe_page_shows_the_output_of_a_probe(empty: RunningSandbox) -> None:
    shown = re.search(r"<!-- probe -->\n```text\n(.*?)```", (ROOT / "docs" / "probe.md").read_text("utf-8"), re.DOTALL)
    assert shown
    settings = at(empty, BASE_URL=empty.url.replace("127.0.0.1", "localhost"))
    printed = command("probe", "--user", "canary", env=settings).stdout

    def shape(text: str) -> list[str]:
        return [re.sub(r"[\d.,:]+( UTC)?|unchanged since|read for the first time|-", "", line) for line in words(text)]

    (query,) = blocks("probe.md", "sql")
    assert [row[1:4] for row in rows(query, "authsignal_probe.duckdb")] == [("tenant", 1, 1.0), ("token", 1, 1.0)]
    assert [" ".join(line.split()) for line in shape(shown.group(1))] == [" ".join(x.split()) for x in shape(printed)]


def test_the_scheduling_page_shows_the_output_of_status(demo: Path) -> None:
    shown = re.search(r"<!-- status -->\n```text\n(.*?)```", (ROOT / "docs" / "scheduling.md").read_text(), re.DOTALL)
    assert shown
    printed = command("status", "--pipeline-name", "authsignal_demo").stdout

    def plain(text: str) -> list[str]:
        changing = r"20\d\d-\d\d-\d\d \d\d:\d\d( UTC)?|\d+\.\d$|\d+\.\d days"
        return [re.sub(changing, "…", line) for line in words(text)]

    assert plain(shown.group(1)) == plain(printed)


def test_the_python_code_of_the_probe_page_runs_as_printed(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in at(empty).items():
        monkeypatch.setenv(name, value)
    (code,) = blocks("probe.md", "python")
    made: dict[str, Any] = {}
    exec(compile(code, "docs/probe.md", "exec"), made)  # noqa: S102
    assert made["report"].works


def test_links_of_the_index_for_assistants_work() -> None:
    page = ROOT / "docs" / "llms.txt"  # scripts/check_words.py checks the links of pages
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index_of_the_documentation() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {page.name for page in ROOT.glob("docs/*.md")} - {"index.md"}
    assert [name for name in sorted(pages) if f"({name}" not in index] == []


def test_every_message_of_the_troubleshooting_page_exists() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    table = page[page.index("## Messages") : page.index("## Rows are missing")]
    modules = (ROOT / "src" / "dlt_authsignal").glob("**/*.py")
    messages = [_message(node) for path in modules for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    for shown in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE):
        assert any(shown in message for message in messages), shown


def _message(node: ast.AST) -> str:
    """The text of a literal, with … for each value in it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_control_route_is_documented() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    for route in control_routes(Sandbox()):
        assert route.path in page


def test_kinds_of_faults_and_what_is_not_emulated_are_documented() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    assert [kind for kind in KINDS if f"| `{kind}` |" not in page] == []
    assert [line for line in NOT_EMULATED if f"- {line}\n" not in page] == []


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)


def test_the_sign_in_of_the_sandbox_page_runs_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    (walk,) = [block for block in blocks("sandbox.md", "python") if "SoftwarePasskey" in block]
    exec(compile(walk, "docs/sandbox.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.split() == ["CHALLENGE_SUCCEEDED", "True", "ann"]


def test_the_configuration_changes_of_the_sandbox_page_are_read_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [block for block in blocks("sandbox.md", "python") if "change_effects" in block]
    exec(compile(code, "docs/sandbox.md", "exec"), {})  # noqa: S102
    *changes, methods, effect = capsys.readouterr().out.splitlines()
    table = (ROOT / "docs" / "sandbox.md").read_text("utf-8").split("| days ago |")[1].split("\n\n")[0]
    days = [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    dates = {line[:10] for line in changes}
    assert dates == {f"{SEEDED_NOW - timedelta(days=number):%Y-%m-%d}" for number in days}
    assert "'SMS'" in methods
    assert all(int(number) > 0 for number in effect.split())


def test_the_python_control_of_the_sandbox_page_runs_as_printed() -> None:
    (control,) = [block for block in blocks("sandbox.md", "python") if "running.limits" in block]
    made: dict[str, Any] = {}
    exec(compile(control, "docs/sandbox.md", "exec"), made)  # noqa: S102
    assert len(made["running"].sandbox.faults.waiting) == 1
    assert made["codes"] == []


def test_the_receiver_of_the_webhooks_page_accepts_only_signed_events() -> None:
    import time

    from dlt_authsignal.api.webhooks import SIGNATURE_HEADER, sign
    from dlt_authsignal.errors import SignatureRefused

    (receiver,) = [block for block in blocks("webhooks.md", "python") if "def received" in block]
    found: dict[str, Any] = {}
    exec(compile(receiver, "docs/webhooks.md", "exec"), found)  # noqa: S102
    headers = {SIGNATURE_HEADER: sign("sandbox-server-secret", b"{}", int(time.time()))}
    found["received"](headers, b"{}")
    with pytest.raises(SignatureRefused):
        found["received"](headers, b"{} ")


def test_every_switch_of_the_sandbox_is_documented() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    assert [name for name in SWITCHES if f"`{name}`" not in page] == []


def test_the_readme_shows_the_script_that_init_writes() -> None:
    readme, script = ((ROOT / name).read_text("utf-8") for name in ("README.md", "authsignal_pipeline.py"))
    assert "print(sync(pipeline))" in script
    assert "sync(pipeline)" in readme


def test_the_page_on_large_tenants_shows_what_the_planner_prints() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "plan.py")], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"<!-- plan -->\n{done.stdout}<!-- /plan -->" in (ROOT / "docs" / "large-tenants.md").read_text("utf-8")
