"""The bodies that the local API answers with: those of a hundred people of the sandbox, a mark where their ids stand.

A process of its own, so that the sandbox weighs on no measurement: python people.py FOLDER
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from dlt_authsignal.api.endpoints import basic_auth

if TYPE_CHECKING:
    from dlt_authsignal.sandbox import RunningSandbox

PEOPLE = 100
MARK = "{user}"


def ask(running: "RunningSandbox", path: str) -> Any:
    request = Request(  # noqa: S310 - the sandbox's address
        f"{running.url}{path}", headers={"Authorization": basic_auth(running.sandbox.config.api_secret_key)}
    )
    with urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def bodies(running: "RunningSandbox", listed: Mapping[str, Any]) -> dict[str, str]:
    """JSON by kind of everything about one person; each id is the mark, and what tells it from the person's others."""
    user = f"/users/{quote(listed['userId'], safe='')}"
    found = {
        "listed": listed,
        "user": ask(running, user),
        **{part: ask(running, f"{user}/{part}") for part in ("authenticators", "actions", "devices")},
    }
    ids = [row["userAuthenticatorId"] for row in found["authenticators"]]
    marks = {json.dumps(listed["userId"]): json.dumps(MARK)}
    marks |= {json.dumps(id_): json.dumps(f"{MARK}-{number}") for number, id_ in enumerate(ids)}
    return {kind: _marked(json.dumps(value, separators=(",", ":")), marks) for kind, value in found.items()}


def _marked(text: str, marks: Mapping[str, str]) -> str:
    for plain, mark in marks.items():
        text = text.replace(plain, mark)
    return text


def write(folder: Path) -> None:
    """Files `<kind>/<number>.json` and `tenant.json`."""
    from dlt_authsignal.sandbox import SandboxConfig, run_in_thread

    with run_in_thread(SandboxConfig(users=PEOPLE, seed=7)) as running:
        listed = ask(running, "/users?limit=200")["users"]
        for number, person in enumerate(listed):
            for kind, text in bodies(running, person).items():
                (folder / kind).mkdir(parents=True, exist_ok=True)
                (folder / kind / f"{number}.json").write_text(text)
        (folder / "tenant.json").write_text(json.dumps(ask(running, "/authenticators")))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
