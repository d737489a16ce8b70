"""docs/security-review.md agrees with the package: addresses, ports, settings, tables, rights."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.cli.main import cli
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.schema.tables.bookkeeping import OWN_TABLES
from tests.helpers import ROOT, sync_from

PAGE = (ROOT / "docs" / "security-review.md").read_text("utf-8")
SETTINGS = "".join((ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("settings", "receive", "privacy"))


def commands() -> Iterator[str]:
    """First words of the commands in the table of connections."""
    for row in re.findall(r"^\| (`.*?) \|", PAGE.partition("## What leaves")[2].partition("## ")[0], re.MULTILINE):
        yield from (name.split()[0] for name in re.findall(r"`([a-z ]+)`", row))


def test_every_host_of_authsignal_is_named() -> None:
    assert [url for url in REGIONS.values() if f"`{urlsplit(url).hostname}`" not in PAGE] == []


def test_every_command_that_connects_is_named_and_exists() -> None:
    named = set(commands())
    assert named == set(cli.commands)


@pytest.mark.parametrize(("name", "port"), [("receive", 8480), ("dashboard", 8765), ("sandbox", 4443)])
def test_the_ports_are_the_defaults_of_the_commands(name: str, port: int) -> None:
    (option,) = [each for each in cli.commands[name].params if each.name == "port"]
    assert option.default == port
    assert re.search(rf"`{name}`[^.]*\({port}\)", PAGE)


def test_the_settings_and_tables_of_the_page_exist() -> None:
    for setting in ("spool_retention", "spool_encryption", "privacy_key", "management_secret_key"):
        assert f"`{setting}`" in PAGE
        assert setting in SETTINGS
    own = {table.name for table in OWN_TABLES}
    assert {"dataset_tenant", "erased_users"} <= own


def test_a_sync_connects_to_authsignal_only(seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: set[str] = set()
    connect = socket.socket.connect

    def noted(self: socket.socket, address: tuple[str, int]) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            connected.add(f"{address[0]}:{address[1]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    sync_from(seeded)
    assert connected == {urlsplit(seeded.url).netloc}
