"""Make the pictures of the README and the pages: the report of the demo's tenant, and a page of the sandbox."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 1420
SANDBOX_HEIGHT: Final = 980
PIPELINE: Final = "authsignal_demo"
DEMO_SECONDS: Final = 300


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="authsignal-") as folder:
        _run_demo(Path(folder))
        os.chdir(folder)
        IMAGES.mkdir(exist_ok=True)
        _draw()
        _draw_sandbox()


def _run_demo(folder: Path) -> None:
    command = Path(sys.executable).with_name("dlt-authsignal")
    done = subprocess.run(  # noqa: S603 - this project's own command
        [command, "demo"], cwd=folder, capture_output=True, text=True, timeout=DEMO_SECONDS, check=False
    )
    if done.returncode:
        sys.exit(f"The demo failed. No picture was changed.\n{done.stderr[-2000:]}")


def _draw() -> None:
    from dlt_authsignal.dashboard.content import open_figures
    from dlt_authsignal.dashboard.export.browser import write_picture
    from dlt_authsignal.dashboard.render import html
    from dlt_authsignal.pipeline.attach import attach

    text = html(open_figures(attach(pipeline_name=PIPELINE)).document(), self_contained=True)
    for name, is_dark in (("report-light.png", False), ("report-dark.png", True)):
        write_picture(text, IMAGES / name, width=WIDTH, height=HEIGHT, is_dark=is_dark)
        (IMAGES / name).chmod(0o644)
        sys.stdout.write(f"docs/images/{name}\n")


def _draw_sandbox() -> None:
    """Draw the rules of a sandbox, with a try-out. The clock is stopped, so that each run draws the same."""
    from dlt_authsignal.dashboard.export.browser import write_picture
    from dlt_authsignal.sandbox import Fixture, SandboxConfig, run_in_thread

    ann = {"email": "ann@example.com", "authenticators": [{"verificationMethod": "PASSKEY"}]}
    with run_in_thread(SandboxConfig(seed=7, fixture=Fixture.of({"users": {"ann": ann}}))) as running:
        running.clock.freeze()
        page = f"{running.control_url}pages/rules?user=ann&amp;action=signIn&amp;ip=192.0.2.1"
        text = f'<meta http-equiv="refresh" content="0; url={page}">'
        for name, is_dark in (("sandbox-light.png", False), ("sandbox-dark.png", True)):
            write_picture(text, IMAGES / name, width=WIDTH, height=SANDBOX_HEIGHT, is_dark=is_dark)
            (IMAGES / name).chmod(0o644)
            sys.stdout.write(f"docs/images/{name}\n")


if __name__ == "__main__":
    main()
