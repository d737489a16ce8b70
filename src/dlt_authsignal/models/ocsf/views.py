"""The query of the view `ocsf_authentication`, in DuckDB's dialect."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from dlt_authsignal.models.dialects import in_duckdb, qualified, translated
from dlt_authsignal.models.events.views import View
from dlt_authsignal.models.kpis.queries import bases_of
from dlt_authsignal.models.kpis.sources import NO_TEXT, parts_of
from dlt_authsignal.models.opened import Stored, stored_columns
from dlt_authsignal.schema.columns import own
from dlt_authsignal.schema.sql_text import quoted
from dlt_authsignal.schema.tables.events import ACTION_LOG
from dlt_authsignal.schema.tables.server import USER_ACTIONS, USER_AUTHENTICATORS

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

OCSF: Final = "ocsf_authentication"
VERSION: Final = "1.7.0"
"""Version of the schema that the events have."""

_USED_WITH: Final = "verified_by_authenticator_id"
_SYNCED: Final = "webauthn_credential__credential_backed_up"
_PROVIDER: Final = "webauthn_credential__aaguid_mapping__name"
_JSON: Final[Mapping[str, str]] = {
    "metadata": "Version, product, and the idempotency key as `correlation_uid`.",
    "user": "The user; `uid` is the user's id as the tables hold it.",
    "service": "Authsignal.",
    "src_endpoint": "IP address or its hash, and country; null without both.",
    "auth_factors": "List with the verification method; null without one.",
    "unmapped": "Action code, outcome, and of a passkey its provider and whether it is synced.",
    "event": "The whole event.",
}

VIEW: Final = View(
    name=OCSF,
    meaning=f"One row per attempt as an event of the class Authentication (3002) of OCSF {VERSION}. `event` has all of"
    " it as JSON; the other columns are its attributes.",
    columns=(
        own("class_uid", "bigint", "3002."),
        own("class_name", "text", "Authentication."),
        own("category_uid", "bigint", "3."),
        own("category_name", "text", "Identity & Access Management."),
        own("activity_id", "bigint", "1 (Logon) for sign-in actions, otherwise 99 (Other)."),
        own("activity_name", "text", "Logon, or the action code."),
        own("type_uid", "bigint", "300201 or 300299."),
        own("time", "bigint", "When the attempt began, in milliseconds since 1970."),
        own("status_id", "bigint", "1 success, 2 failure, 99 not finished."),
        own("status", "text", "Success, Failure, or the state."),
        own("severity_id", "bigint", "1 informational; 2 low for failures."),
        own("is_mfa", "bool", "Whether the user was challenged."),
        *(
            own(name, "text", f"JSON. {meaning}", "user_id" if name in ("user", "event") else "plain")
            for name, meaning in _JSON.items()
        ),
    ),
)

_PLAIN: Final = tuple(column.name for column in VIEW.columns if column.name not in (*_JSON, "is_mfa"))


def view_queries(pipeline: "Pipeline", dataset: str, dialect: str) -> dict[str, str]:
    """Return the query of the view if there are attempts, in the destination's dialect."""
    stored = stored_columns(pipeline)
    found = plain_queries(stored)
    if dialect == "duckdb":
        return {name: qualified(in_duckdb(query), quoted(dataset), stored) for name, query in found.items()}
    return {name: translated(query, dataset, dialect) for name, query in found.items()}


def plain_queries(stored: Stored) -> dict[str, str]:
    """Return the query of the view, in DuckDB's dialect with the macros of `dialects`, on unqualified tables."""
    if not {USER_ACTIONS.name, ACTION_LOG.name} & stored.keys():
        return {}
    attempts = _text().format(**parts_of(stored) | _passkeys(stored))
    parts = [*bases_of([attempts], stored), ("ocsf_attempts", attempts), ("ocsf_parts", _parts())]
    with_ = ",\n".join(f"{name} as ({query})" for name, query in parts)
    columns = ",\n    ".join(
        [*_PLAIN, "is_mfa_text = 'true' as is_mfa", *(f'"{name}"' for name in _JSON if name != "event")]
    )
    return {OCSF: f"with {with_}\nselect\n    {columns},\n    {_event()} as event\nfrom ocsf_parts"}


def _passkeys(stored: Stored) -> dict[str, str]:
    """Return the parts that look up the passkey of an attempt, which only the API tells."""
    passkeys = stored.get(USER_AUTHENTICATORS.name, {})
    if _USED_WITH not in stored.get(USER_ACTIONS.name, {}) or _SYNCED not in passkeys or _PROVIDER not in passkeys:
        return {"passkeys": "", "is_synced": NO_TEXT, "provider": NO_TEXT}
    return {
        "passkeys": f"""left join user_actions as u
    on u.user_id = a.user_id and u.action_code = a.action_code and u.idempotency_key = a.idempotency_key
left join user_authenticators as p on p.user_authenticator_id = u.{_USED_WITH}""",
        "is_synced": f"case when p.{_SYNCED} then 'true' when not p.{_SYNCED} then 'false' end",
        "provider": f"p.{_PROVIDER}",
    }


def _parts() -> str:
    """Return the query that adds the objects, as JSON."""
    product = _object({"name": "'\"Authsignal\"'", "vendor_name": "'\"Authsignal\"'"})
    metadata = {"version": f"'\"{VERSION}\"'", "product": product, "correlation_uid": _string("idempotency_key")}
    place = _optional("country_code", _object({"country": _string("country_code")}))
    endpoint = {"ip": _string("ip"), "uid": _string("ip_hash"), "location": place}
    factor = {"factor_type_id": "cast(factor_type_id as text)", "factor_type": _string("factor_type")}
    passkey = _optional("is_synced", _object({"is_synced": "is_synced", "provider": _string("provider")}))
    unmapped = {
        "action_code": _string("action_code"),
        "state": _string("state"),
        "verification_method": _string("method"),
        "outcome": _string("outcome"),
        "passkey": passkey,
    }
    made = {
        "metadata": _object(metadata),
        "user": _object({"type_id": "'1'", "type": "'\"User\"'", "uid": _string("user_id")}),
        "service": '\'{"name": "Authsignal"}\'',
        "src_endpoint": f"case when ip is not null or ip_hash is not null then {_object(endpoint)} end",
        "auth_factors": f"case when method is not null then '[' || {_object(factor)} || ']' end",
        "unmapped": _object(unmapped),
    }
    columns = ",\n    ".join(f'{text} as "{name}"' for name, text in made.items())
    return f"select\n    *,\n    {columns}\nfrom ocsf_attempts"


def _event() -> str:
    numbers = ("class_uid", "category_uid", "activity_id", "type_uid", "time", "status_id", "severity_id")
    texts = ("class_name", "category_name", "activity_name", "status")
    values = {name: f"cast({name} as text)" for name in numbers} | {name: _string(name) for name in texts}
    values["is_mfa"] = "is_mfa_text"
    return _object(values | {name: f'"{name}"' for name in _JSON if name != "event"})


def _object(values: Mapping[str, str]) -> str:
    """Return the SQL of a JSON object from SQL that returns JSON; a value that is null is left out."""
    pairs = [f"coalesce(', \"{name}\": ' || {value}, '')" for name, value in values.items()]
    return f"'{{' || substring({' || '.join(pairs)}, 3) || '}}'"


def _string(column: str) -> str:
    return f"case when {column} is not null then json_string({column}) end"


def _optional(column: str, value: str) -> str:
    return f"case when {column} is not null then {value} end"


@cache
def _text() -> str:
    text = files("dlt_authsignal.models.ocsf").joinpath("authentication.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.strip().split("\n") if not line.startswith("--"))
