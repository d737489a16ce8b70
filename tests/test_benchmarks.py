"""The side-by-side benchmark itself: that its contestants load the same, and that it says so."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEW = ["--only", "near", "rerun", "--users", "20", "--gated-users", "20", "--repeats", "1", "--cold"]


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_every_benchmarked_tool_loads_the_same_rows_and_the_results_are_written_to_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nearlier figures\n<!-- /bench -->\nafter\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "side_by_side.py"), *FEW, "--markdown", str(page)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = page.read_text()
    assert written.startswith("before\n<!-- bench -->\n")
    assert written.endswith("<!-- /bench -->\nafter\n")
    assert "| stock | 20 |" in written
    assert "earlier figures" not in written
    assert "ours, one process / floor" in done.stdout
