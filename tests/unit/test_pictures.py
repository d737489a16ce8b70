"""Each picture of the pages is made by `make pictures`, and each picture that it makes is on a page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
SHOWN = re.compile(r"""(?:src|srcset)="([^"]+)"|!\[[^\]]*\]\(([^)\s]+)""")


def pictures_of(page: Path) -> set[Path]:
    """Files that a page shows; badges come from elsewhere."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    addresses = [(first or second).split()[0] for first, second in SHOWN.findall(text)]
    return {(page.parent / address).resolve() for address in addresses if "://" not in address}


def test_every_picture_of_the_pages_is_there_and_made_by_the_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import pictures

    made = {pictures.IMAGES / name for name in (*pictures.DRAWN, *pictures.SHOWN, *pictures.SANDBOX)}
    shown = {picture for page in PAGES for picture in pictures_of(page)}
    assert len(shown) >= 4
    assert shown == made
    assert {path for path in pictures.IMAGES.iterdir() if path.is_file()} == made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_has_a_text_for_people_who_do_not_see_it(page: Path) -> None:
    text = page.read_text("utf-8")
    assert all(re.search(r'alt="[^"]{20,}"', tag) for tag in re.findall(r"<img [^>]*>", text))
    assert "![](" not in text
