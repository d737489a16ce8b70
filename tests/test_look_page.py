"""docs/look-at-the-data.md: all of its code runs on the demo's data and prints what the page shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "look-at-the-data.md"
BLOCK = re.compile(r"```(python|sql|text)\n(.*?)```", re.DOTALL)

RUN = """
import contextlib, io, json, sys
names, printed = {"__name__": "__main__"}, []
for language, code in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code if language == "python" else "ask(" + repr(code) + ")", names)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


def shown() -> list[tuple[str, str, str]]:
    """(language, code, output that the page shows below it, or nothing) in the order of the page."""
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    following = [*blocks[1:], ("", "")]
    return [
        (language, code, after[1] if after[0] == "text" else "")
        for (language, code), after in zip(blocks, following, strict=True)
        if language != "text"
    ]


def comparable(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.mark.deep
def test_the_code_of_the_page_prints_the_output_on_the_page(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    code = json.dumps([(language, code) for language, code, _ in shown()])
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=code, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for (_, code, expected), printed in zip(shown(), json.loads(done.stdout), strict=True):
        assert comparable(printed) == comparable(expected), f"the page shows another output below:\n{code}"


def test_the_queries_of_the_page_run_in_duckdb_too(demo: Path) -> None:
    questions = [(code, output) for language, code, output in shown() if language == "sql"]
    with duckdb.connect("authsignal_demo.duckdb", read_only=True) as database:
        database.execute("use authsignal_data")
        for query, output in questions:
            assert len(database.execute(query).fetchall()) == len(comparable(output)) - 1, query
    assert len(questions) == 5
