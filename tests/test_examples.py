"""The notebooks in examples/ run on the demo's data and show what they should."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "authsignal.ipynb"


@pytest.mark.deep
def test_the_jupyter_notebook_shows_counts_charts_and_users(demo: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(demo)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "stream"] == []
    shown = [output.data for output in outputs]
    assert sum("image/png" in data for data in shown) == 3
    words = "\n".join(data["text/plain"] for data in shown)
    for expected in ("user_actions       3295", "d7d094cc-1bd3-4f1d-bb7b-4c96628a76fb        19"):
        assert expected in words


def test_the_jupyter_notebook_is_stored_without_outputs() -> None:
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.deep
def test_the_marimo_notebook_shows_counts_kpis_and_users(demo: Path, tmp_path: Path) -> None:
    notebook, page = tmp_path / "authsignal_marimo.py", tmp_path / "page.html"
    shutil.copy(EXAMPLES / notebook.name, notebook)  # marimo keeps the outputs beside it
    exporting = [sys.executable, "-m", "marimo", "export", "html", str(notebook), "-o", str(page), "--no-include-code"]
    done = subprocess.run(exporting, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    html = page.read_text("utf-8")
    for expected in ("3,295", "iCloud Keychain", "image/png", "d7d094cc-1bd3-4f1d-bb7b-4c96628a76fb"):
        assert expected in html
