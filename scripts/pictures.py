"""Make every picture of README and docs: drawings, the demo's overview, a page of the sandbox. `make pictures` runs it.

A new picture goes into DRAWN, SHOWN or SANDBOX, and nowhere else: a test compares them with the pages and docs/images.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from diagram import DARK, LIGHT, diagram

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 1420
SANDBOX_HEIGHT: Final = 980
PIPELINE: Final = "authsignal_demo"

DRAWN: Final = {"overview-light.svg": partial(diagram, LIGHT), "overview-dark.svg": partial(diagram, DARK)}
"""Drawings by file; `make docs` writes them too, because a test compares them with their code."""

SHOWN: Final = {"report-light.png": False, "report-dark.png": True}
"""Pictures of the demo's report by file, and whether their colours are dark."""

SANDBOX: Final = {"sandbox-light.png": False, "sandbox-dark.png": True}
"""Pictures of the sandbox's rules by file, and whether their colours are dark."""

DEMO_SECONDS: Final = 300


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8")
        sys.stdout.write(f"docs/images/{name}\n")
    with tempfile.TemporaryDirectory(prefix="authsignal-") as folder:
        _run_demo(Path(folder))
        os.chdir(folder)
        _show()
        _show_sandbox()


def _run_demo(folder: Path) -> None:
    command = Path(sys.executable).with_name("dlt-authsignal")
    done = subprocess.run(  # noqa: S603 - this project's own command
        [command, "demo"], cwd=folder, capture_output=True, text=True, timeout=DEMO_SECONDS, check=False
    )
    if done.returncode:
        sys.exit(f"The demo failed. No picture was changed.\n{done.stderr[-2000:]}")


def _show() -> None:
    from dlt_authsignal.dashboard.content import open_figures
    from dlt_authsignal.dashboard.export.browser import write_picture
    from dlt_authsignal.dashboard.render import html
    from dlt_authsignal.pipeline.attach import attach

    text = html(open_figures(attach(pipeline_name=PIPELINE)).document(), self_contained=True)
    for name, is_dark in SHOWN.items():
        write_picture(text, IMAGES / name, width=WIDTH, height=HEIGHT, is_dark=is_dark)
        (IMAGES / name).chmod(0o644)
        sys.stdout.write(f"docs/images/{name}\n")


def _show_sandbox() -> None:
    """Draw the rules of a sandbox, with a try-out. The clock is stopped, so that each run draws the same."""
    from dlt_authsignal.dashboard.export.browser import write_picture
    from dlt_authsignal.sandbox import Fixture, SandboxConfig, run_in_thread

    ann = {"email": "ann@example.com", "authenticators": [{"verificationMethod": "PASSKEY"}]}
    with run_in_thread(SandboxConfig(seed=7, fixture=Fixture.of({"users": {"ann": ann}}))) as running:
        running.clock.freeze()
        page = f"{running.control_url}pages/rules?user=ann&amp;action=signIn&amp;ip=192.0.2.1"
        text = f'<meta http-equiv="refresh" content="0; url={page}">'
        for name, is_dark in SANDBOX.items():
            write_picture(text, IMAGES / name, width=WIDTH, height=SANDBOX_HEIGHT, is_dark=is_dark)
            (IMAGES / name).chmod(0o644)
            sys.stdout.write(f"docs/images/{name}\n")


if __name__ == "__main__":
    main()
