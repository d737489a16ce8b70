"""Compare the public surface with the last release's. `--write` (make contract) makes the present one the released one.

The last release is the newest tag vX.Y.Z; without a tag, the checked-in file itself.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from contract.compare import broken
from contract.surface import present

from contract import python_names

ROOT: Final = Path(__file__).parents[1]
FILE: Final = "tests/contract/released.json"
_TAG: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def main() -> None:
    if "--write" in sys.argv:
        names = python_names.stubs(python_names.load(ROOT / "src"))
        text = json.dumps({"version": version_of(ROOT), "python": names, **present()}, indent=1, ensure_ascii=False)
        (ROOT / FILE).write_text(f"{text}\n", encoding="utf-8")
        return
    sys.exit(verdict(ROOT, released(ROOT), changes(released(ROOT))) or 0)


def version_of(root: Path) -> str:
    """Return the version in pyproject.toml."""
    found: str = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return found


def last_tag(root: Path) -> str | None:
    """Return the tag of the newest release; None without one, or without git."""
    try:
        listed = _git(root, "tag", "--list", "v*")
    except (OSError, subprocess.CalledProcessError):
        return None
    tags = [name for name in listed.split() if _TAG.fullmatch(name)]
    return max(tags, key=lambda name: [int(part) for part in name[1:].split(".")], default=None)


def released(root: Path) -> dict[str, Any]:
    """Return the promises of the last release."""
    tag = last_tag(root)
    text = _git(root, "show", f"{tag}:{FILE}") if tag else (root / FILE).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def changes(promised: dict[str, Any]) -> dict[str, str]:
    """Return the promises that the code in this folder no longer keeps, by name."""
    package = python_names.load(ROOT / "src")
    return {**python_names.breaks(promised["python"], package), **broken(promised, present())}


def verdict(root: Path, promised: dict[str, Any], breaks: dict[str, str]) -> str | None:
    """Return what to do about the breaks; None if nothing is left to do."""
    needed, version = next_breaking(promised["version"]), version_of(root)
    section = entries(root, version)
    is_new = _numbers(version) >= _numbers(needed)
    left = {name: text for name, text in breaks.items() if not (is_new and f"`{name}`" in section)}
    if not left:
        return None
    free = "" if last_tag(root) else f"\nVersion {promised['version']} has no tag yet: make contract accepts them too."
    listed = "\n".join(f"- {text}" for text in left.values())
    return (
        f"Promises of version {promised['version']} that the code no longer keeps:\n{listed}\nKeep the old names and"
        f" columns beside the new ones. If they have to go: set version {needed} or later in pyproject.toml, and name"
        f" {', '.join(f'`{name}`' for name in left)} in CHANGELOG.md, in the section of that version, under"
        f" “### Breaking”, with what users have to do. docs/versions.md says what is promised.{free}"
    )


def next_breaking(version: str) -> str:
    """Return the next version that may break promises: 0.2.0 after 0.1.3, 2.0.0 after 1.4.2."""
    major, minor, _ = _numbers(version)
    return f"{major + 1}.0.0" if major else f"0.{minor + 1}.0"


def entries(root: Path, version: str) -> str:
    """Return what the changelog says under “### Breaking” of a version."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## \[?{re.escape(version)}\b.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.search(r"^### Breaking\n.*?(?=^### |\Z)", section[0] if section else "", re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - git, with our arguments
        ["git", "-C", str(root), *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


if __name__ == "__main__":
    main()
