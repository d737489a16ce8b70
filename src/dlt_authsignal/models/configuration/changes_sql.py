"""SQL of `config_changes`, from the history tables of the configuration.

It has one row per object that was added or removed, and one per field of an object that was added or changed.

Every version of an object is compared with the version before it. An object that the first read of its table returned
is no change: the time when it was made is unknown.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from dlt_authsignal.models.opened import Stored
from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS
from dlt_authsignal.schema.tables.configuration import (
    ACTION_CONFIGURATIONS,
    AUTHENTICATOR_CONFIGURATIONS,
    CUSTOM_DATA_POINTS,
    RULES,
    TENANT,
    THEME,
    VALUE_LIST_ITEMS,
    VALUE_LISTS,
)
from dlt_authsignal.schema.tables.histories import VALID_FROM, VALID_TO, history_of
from dlt_authsignal.schema.tables.server import PROVENANCE_NAMES

COLUMNS: Final = (
    "configuration",
    "object",
    "object_name",
    "action_code",
    "change",
    "field",
    "before",
    "after",
    "seen_before",
    "seen_at",
)

_JSON_AS_TEXT: Final = {"bigquery": "to_json_string({})", "snowflake": "to_json({})"}
"""How dialects write JSON as text, where a cast does not."""

_NAMES: Final[Mapping[Table, str]] = {
    TENANT: "name",
    ACTION_CONFIGURATIONS: "action_code",
    RULES: "name",
    AUTHENTICATOR_CONFIGURATIONS: "verification_method",
    CUSTOM_DATA_POINTS: "name",
    VALUE_LISTS: "alias",
    THEME: "tenant_id",
}
"""Column that names an object for people, by table. Items are counted with their list."""

_HAVE_ACTIONS: Final = frozenset({ACTION_CONFIGURATIONS, RULES})
_NOT_COMPARED: Final = PROVENANCE_NAMES | {DELETED_AT.name, VALID_FROM.name, VALID_TO.name, "_more"}


def changes_sql(stored: Stored, dialect: str = "duckdb") -> str | None:
    """Return the query in DuckDB's dialect; None if no history of a configuration table exists.

    Args:
        stored: Types of the columns of each existing table.
        dialect: The dialect that the query will be translated to, which may convert JSON to text in its own way.
    """
    if CONFIGURATION_READS.name not in stored:
        return None
    tables = [table for table in _NAMES if history_of(table).name in stored]
    parts = [_of_table(table, _compared(table, stored[history_of(table).name]), dialect) for table in tables]
    if history_of(VALUE_LIST_ITEMS).name in stored:
        parts.append(_ITEMS)
    if not parts:
        return None
    listed = ", ".join(COLUMNS)
    return f"with {_READS} select {listed} from ({' union all '.join(parts)}) as found where {_AFTER_FIRST}"


_READS: Final = """
reads as (
    select table_name, read_at, lag(read_at) over (partition by table_name order by read_at) as before_at
    from configuration_reads
),
firsts as (select table_name, min(read_at) as first_at from configuration_reads group by table_name)
"""

_AFTER_FIRST: Final = "seen_at > first_at"


def _compared(table: Table, stored: Mapping[str, str]) -> Mapping[str, str]:
    activities = {column.name for column in table.columns if column.is_activity}
    skipped = _NOT_COMPARED | activities | set(table.key)
    return {name: kind for name, kind in stored.items() if name not in skipped and not name.startswith("_dlt")}


def _as_text(name: str, kind: str, dialect: str) -> str:
    if kind == "json" and dialect in _JSON_AS_TEXT:
        return _JSON_AS_TEXT[dialect].format(name)
    return f"cast({name} as text)"


def _of_table(table: Table, compared: Mapping[str, str], dialect: str) -> str:
    """Return the changes of one table: added and removed objects, and the fields of added and changed ones."""
    key, history = table.key[0], history_of(table).name
    texts = (_as_text(name, kind, dialect) for name, kind in compared.items())
    columns = ", ".join(f"{text} as now_{place}" for place, text in enumerate(texts))
    window = "over (partition by object_key order by valid_from)"
    named = f"cast({_NAMES[table]} as text)"
    action = "action_code" if table in _HAVE_ACTIONS else "cast(null as text)"
    befores = ", ".join(f"lag(now_{place}) {window} as was_{place}" for place, _ in enumerate(compared))
    versions = f"""(
        select *, lag(valid_to) {window} as ended_before, lead(valid_from) {window} as begins_next{_more(befores)}
        from (
            select cast({key} as text) as object_key, {named} as object_name, {action} as action_code,
                valid_from, valid_to{_more(columns)}
            from {history}
        ) as texts
    )"""
    return " union all ".join(
        (
            _rows(table, versions, "added", "valid_from", "ended_before is null or ended_before < valid_from"),
            _rows(
                table,
                versions,
                "removed",
                "valid_to",
                "valid_to is not null and coalesce(begins_next <> valid_to, true)",
            ),
            *([_fields(table, versions, list(compared))] if compared else ()),
        )
    )


def _more(columns: str) -> str:
    return f", {columns}" if columns else ""


def _rows(table: Table, versions: str, change: str, moment: str, where: str) -> str:
    nothing = "cast(null as text)"
    return f"""
        select '{table.name}' as configuration, v.object_key as object, v.object_name, v.action_code,
            '{change}' as change, {nothing} as field, {nothing} as before, {nothing} as after,
            r.before_at as seen_before, v.{moment} as seen_at, f.first_at
        from {versions} as v
        join firsts as f on f.table_name = '{table.name}'
        left join reads as r on r.table_name = '{table.name}' and r.read_at = v.{moment}
        where {where}
    """


def _fields(table: Table, versions: str, compared: Sequence[str]) -> str:
    names = " union all ".join(f"select {place} as place, '{name}' as field" for place, name in enumerate(compared))
    was = _case("was", len(compared))
    now = _case("now", len(compared))
    return f"""
        select '{table.name}' as configuration, object, object_name, action_code, change, field,
            before, after, seen_before, seen_at, first_at
        from (
            select v.object_key as object, v.object_name, v.action_code, n.field,
                case when v.ended_before = v.valid_from then 'changed' else 'added' end as change,
                case when v.ended_before = v.valid_from then {was} end as before, {now} as after,
                r.before_at as seen_before, v.valid_from as seen_at, f.first_at
            from {versions} as v
            cross join ({names}) as n
            join firsts as f on f.table_name = '{table.name}'
            left join reads as r on r.table_name = '{table.name}' and r.read_at = v.valid_from
        ) as compared
        where coalesce(before, '') <> coalesce(after, '')
    """


def _case(prefix: str, count: int) -> str:
    return f"case n.place {' '.join(f'when {place} then v.{prefix}_{place}' for place in range(count))} end"


_ITEMS: Final = """
    select 'value_lists' as configuration, alias as object, alias as object_name, cast(null as text) as action_code,
        'changed' as change, kind as field,
        case when kind = 'items_removed' then cast(items as text) end as before,
        case when kind = 'items_added' then cast(items as text) end as after,
        r.before_at as seen_before, moment as seen_at, f.first_at
    from (
        select alias, valid_from as moment, 'items_added' as kind, count(*) as items
        from value_list_items_history group by alias, valid_from
        union all
        select alias, valid_to as moment, 'items_removed' as kind, count(*) as items
        from value_list_items_history where valid_to is not null group by alias, valid_to
    ) as counted
    join firsts as f on f.table_name = 'value_list_items'
    left join reads as r on r.table_name = 'value_list_items' and r.read_at = moment
"""
