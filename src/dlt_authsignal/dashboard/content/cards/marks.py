"""Changes of the configuration as marks over the rates."""

from typing import Final

from dlt_authsignal.dashboard.page import Mark
from dlt_authsignal.models.configuration.timeline import Change, Timeline

KINDS: Final = {
    "tenant": "Tenant",
    "action_configurations": "Action",
    "rules": "Rule",
    "authenticator_configurations": "Authenticator",
    "custom_data_points": "Custom data point",
    "value_lists": "Value list",
    "theme": "Theme",
}
"""What the objects of a configuration table are called."""


def marks_of(timeline: Timeline | None) -> tuple[Mark, ...]:
    """Return a mark for each change."""
    changes = timeline.changes if timeline else []
    return tuple(Mark(day=change.seen_at.date(), label=label(change), href="/changes") for change in changes)


def label(change: Change) -> str:
    """Say what was changed: `Rule Block Tor was added`."""
    kind = KINDS.get(change.configuration, change.configuration)
    return f"{kind} {change.object_name or change.object} was {change.change}"
