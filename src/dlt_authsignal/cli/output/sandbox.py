"""What `dlt-authsignal sandbox` prints when it starts."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.sandbox import Sandbox

MOST_LISTED: Final = 10
"""Further tenants that the banner lists."""


@dataclass(frozen=True)
class Trust:
    """Where the certificate to trust is, and how programs use it."""

    file: Path
    key_hash: str

    @property
    def quoted(self) -> str:
        """The path as a shell takes it."""
        return shlex.quote(str(self.file))

    def lines(self) -> tuple[str, ...]:
        """The lines of the banner."""
        return (
            f"  trust    {self.file}   (made for this start; no private key is stored)",
            f"    curl     curl --cacert {self.quoted} …",
            f"    Python   export SSL_CERT_FILE={self.quoted} REQUESTS_CA_BUNDLE={self.quoted}",
            f"    Node     export NODE_EXTRA_CA_CERTS={self.quoted}",
            f"    browser  import the file as an authority; or, in tests, start Chromium with"
            f" --ignore-certificate-errors-spki-list={self.key_hash}",
        )


def as_json(url: str, sandboxes: Sequence["Sandbox"], trust: Trust | None) -> str:
    """Return the URLs and keys as one line of JSON: those of the first tenant, and if there are others, of each."""
    of_all = [_as_dict(url, one) for one in sandboxes]
    return json.dumps(
        {
            **({"caFile": str(trust.file), "keyHash": trust.key_hash} if trust else {}),
            **of_all[0],
            **({"tenants": of_all} if len(of_all) > 1 else {}),
        }
    )


def _as_dict(url: str, state: "Sandbox") -> dict[str, str]:
    config = state.config
    return {
        "url": _url(url, state),
        "tenantId": config.tenant_id,
        "apiSecretKey": config.api_secret_key,
        "managementSecretKey": config.management_secret_key,
        "controlUrl": _control(url, state),
    }


def _url(url: str, state: "Sandbox") -> str:
    return urljoin(url, f"{state.config.region_path}/v1")


def _control(url: str, state: "Sandbox") -> str:
    return urljoin(url, state.control_path)


def _further(url: str, sandboxes: Sequence["Sandbox"]) -> Iterator[str]:
    """The lines about further tenants."""
    if sandboxes:
        more = "1 more here" if len(sandboxes) == 1 else f"{len(sandboxes)} more here"
        yield f"  tenants  {more}; the key decides which tenant responds"
    width = max((len(one.config.tenant_id) for one in sandboxes[:MOST_LISTED]), default=0)
    for one in sandboxes[:MOST_LISTED]:
        config, count = one.config, one.store.counts()["users"]
        yield (
            f"    {config.tenant_id:{width}}   {_url(url, one)}   keys server {config.api_secret_key}, "
            f"management {config.management_secret_key}   {count:,} user{'' if count == 1 else 's'}"
        )
    if sandboxes:
        rest = len(sandboxes) - MOST_LISTED
        listed = urljoin(url, "/_sandbox/tenants")
        yield f"    {f'and {rest} more, listed at' if rest > 0 else 'list, add and remove them at'} {listed}"


def _contents(state: "Sandbox") -> str:
    """The sandbox's data in numbers. A sync loads fewer actions than there are, so both numbers are given."""
    counts = state.store.counts()
    if not counts["users"]:
        return "no users"
    recent = state.store.count_actions(state.clock.now() - timedelta(days=ACTION_WINDOW_DAYS))
    if recent is None:  # too many users to count what they have
        return f"{counts['users']:,} users; a sync loads their actions of the last {ACTION_WINDOW_DAYS} days"
    actions = counts.pop("actions")
    listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    return f"{listed}, {actions:,} actions (a sync loads the {recent:,} of the last {ACTION_WINDOW_DAYS} days)"


def banner(url: str, sandboxes: Sequence["Sandbox"], trust: Trust | None) -> str:
    """Return the lines that say how to use a sandbox."""
    state, *further = sandboxes
    origin, url = url, _url(url, state)
    secret = state.config.api_secret_key
    variable, option = (f" SSL_CERT_FILE={trust.quoted}", f" --cacert {trust.quoted}") if trust else ("", "")
    return "\n".join(
        (
            f"Local Authsignal at {url}   (an emulator; Ctrl-C stops it)",
            f"  tenant   {state.config.tenant_id}",
            f"  keys     server {secret}, management {state.config.management_secret_key}",
            f"  data     {_contents(state)}",
            f"  clock    {state.clock.now():%Y-%m-%d %H:%M} UTC",
            f"  sync it {variable} "
            f"SOURCES__AUTHSIGNAL_SOURCE__BASE_URL={url} SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY={secret}"
            " dlt-authsignal sync --pipeline-name sandbox --rate max",
            f"  try it   curl{option} -u {secret}: '{url}/users?limit=2'",
            f"  page     {_control(url, state).replace('127.0.0.1', 'localhost')}"
            "   (users, requests, codes; try a passkey)",
            *_further(origin, further),
            *(trust.lines() if trust else ()),
        )
    )
