"""What `dlt-authsignal sandbox` prints when it starts."""

import json
import shlex
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.sandbox import Sandbox


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


def as_json(url: str, state: "Sandbox", trust: Trust | None) -> str:
    """Return the URLs and keys as one line of JSON."""
    config = state.config
    return json.dumps(
        {
            **({"caFile": str(trust.file), "keyHash": trust.key_hash} if trust else {}),
            "url": url,
            "tenantId": config.tenant_id,
            "apiSecretKey": config.api_secret_key,
            "managementSecretKey": config.management_secret_key,
            "controlUrl": _control(url),
        }
    )


def _control(url: str) -> str:
    return url.removesuffix("/v1") + "/_sandbox/"


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


def banner(url: str, state: "Sandbox", trust: Trust | None) -> str:
    """Return the lines that say how to use a sandbox."""
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
            f"  page     {_control(url).replace('127.0.0.1', 'localhost')}   (users, requests, codes; try a passkey)",
            *(trust.lines() if trust else ()),
        )
    )
