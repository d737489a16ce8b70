"""scripts/check_words.py refuses what is hard to read, links that lead nowhere, and broken tables."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def words() -> ModuleType:
    path = ROOT / "scripts" / "check_words.py"
    spec = importlib.util.spec_from_file_location("check_words", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_words"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text",
    ["Whom the list names", "It is mended", "Kept\notherwise than before", "Ask once more.", "the client lane"],
)
def test_a_phrase_is_found_even_across_a_line_break(words: ModuleType, text: str) -> None:
    assert len(list(words.phrases_in(text))) == 1


@pytest.mark.parametrize("text", ["All users are re-read.", "planes", "a stand in for", "It comes with a backup."])
def test_plain_text_is_accepted(words: ModuleType, text: str) -> None:
    assert list(words.phrases_in(text)) == []


def test_code_blocks_of_a_page_are_not_checked(words: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```text\nnobody\n```\n\nNobody reads.\n", encoding="utf-8")
    assert [(finding.line, finding.text) for finding in words.check_page(page, "page.md")] == [(7, "Nobody")]


def test_broken_links_and_anchors_are_found(words: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text('# A `b`, c\n\n<a id="term"></a>\n\n## A b c\n', encoding="utf-8")
    page = tmp_path / "page.md"
    good = "[a](other.md) [a](other.md#a-b-c) [a](other.md#a-b-c-1) [a](other.md#term) [a](#page) [a](https://x.test)"
    page.write_text(f"# Page\n\n{good}\n\n[b](gone.md) [b](other.md#d)\n", encoding="utf-8")
    assert [finding.text for finding in words.check_page(page, "page.md")] == ["gone.md", "other.md#d"]


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ("| a | b |\n| c `d \\| e` | |", []),
        ("| a | first\nsecond |\n| c | d |", ["| a | first", "second |"]),
        ("| a | b | | c | d |", ["| a | b | | c | d |"]),
        ("| a |", ["| a |"]),
        ("| a | b |\n<!-- /rows -->", []),
    ],
)
def test_rows_of_a_table_that_are_wrapped_or_joined_are_found(
    words: ModuleType, tmp_path: Path, rows: str, broken: list[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n| one | two |\n| --- | --- |\n{rows}\n\n| no | table |\n", encoding="utf-8")
    assert [finding.text for finding in words.check_page(page, "page.md")] == broken


def test_string_literals_and_docstrings_of_the_source_are_checked(words: ModuleType, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""Whoever calls."""\n\nlane = "lane"\nsaid = f"{lane}: ask anew, or stop"\n', encoding="utf-8")
    assert [(finding.line, finding.text) for finding in words.check_source(module, "module.py")] == [
        (1, "Whoever"),
        (4, "anew"),
    ]


@pytest.mark.deep
def test_the_pages_of_this_repository_have_no_findings(words: ModuleType) -> None:
    assert [str(finding) for finding in words.findings()] == []
