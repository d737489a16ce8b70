"""The stories of the invented users in JSON."""

from typing import Any

from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.stories.found import Story


def shown_stories(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return what the stories did, as `GET /_sandbox/truth` shows it."""
    return [_shown(story) for story in sandbox.told_stories()]


def _shown(story: Story) -> dict[str, Any]:
    return {
        "name": story.name,
        "firstDay": story.days and story.days.first.isoformat(),
        "lastDay": story.days and story.days.last.isoformat(),
        "users": sorted(story.users),
        "attempts": len(story.attempts),
        "figures": {
            name: {"numerator": numerator, "denominator": denominator}
            for name, (numerator, denominator) in story.figures.items()
        },
    }
