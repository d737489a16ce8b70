"""Changes of the passkey policy between two probe runs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import newest
from dlt_authsignal.source.rows.flatten import Row

_SIGNING: Final = ("rp_id", "user_verification", "timeout_ms")


POLICY: Final = {
    "passkey_register_options": (
        *_SIGNING,
        "algorithms",
        "attestation",
        "resident_key",
        "authenticator_attachment",
    ),
    "passkey_authentication_options": _SIGNING,
}
"""Settings of a tenant's WebAuthn policy, by their table."""


Ceremony = tuple[str, str]
"""Table of the options, and the authentication of the call."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One changed setting of the policy.

    Attributes:
        ceremony: Table of the setting.
        authenticated_with: `token` (MFA) or `tenant` (sign-in).
        setting: Column of that table.
        before: Value in the previous probe.
        now: Present value.
    """

    ceremony: str
    authenticated_with: str
    setting: str
    before: Any
    now: Any


def learnt(rows: Mapping[str, list[Row]]) -> dict[Ceremony, dict[str, Any]]:
    """Return the policy in the options of each ceremony."""
    return {
        (name, row["authenticated_with"]): {setting: row.get(setting) for setting in POLICY[name]}
        for name in POLICY
        for row in rows[name]
        if row.get("rp_id")
    }


def changes(ceremony: Ceremony, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Yield settings that differ; none if there is no previous policy."""
    for setting, value in now.items():
        if before and before[setting] != value:
            yield Change(
                ceremony=ceremony[0],
                authenticated_with=ceremony[1],
                setting=setting,
                before=before[setting],
                now=value,
            )


def _compared(
    pipeline: Pipeline, policies: Mapping[Ceremony, Mapping[str, Any]], tenant_id: str | None
) -> tuple[list[Change], datetime | None]:
    """Return the differences from the previous probe, and its time."""
    before = {ceremony: _last(pipeline, ceremony, tenant_id) for ceremony in policies}
    drift = [change for ceremony, now in policies.items() for change in changes(ceremony, before[ceremony][1], now)]
    return drift, max((moment for moment, _ in before.values() if moment), default=None)


def _last(pipeline: Pipeline, ceremony: Ceremony, tenant_id: str | None) -> tuple[datetime | None, dict[str, Any]]:
    """Return when the policy was last read, and its settings."""
    name, authenticated_with = ceremony
    columns = ("called_at", *POLICY[name])
    equal = {"authenticated_with": authenticated_with, "tenant_id": tenant_id, "status": 200}
    found = newest(pipeline, name, "called_at", columns, equal)
    if found is None:
        return None, {}
    return found[0], dict(zip(columns[1:], map(_value, found[1:]), strict=True))


def _value(value: Any) -> Any:
    """Return a list from JSON text, because the destination stores it as text."""
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value
