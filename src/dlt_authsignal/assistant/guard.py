"""Check of an assistant's query: it must be one SELECT on the visible tables.

The check uses the syntax tree of DuckDB's own parser, so both always read the SQL in the same way.
"""

from collections.abc import Iterator, Set
from typing import Any, Final

ONLY: Final = "Only one SELECT (or WITH, DESCRIBE, SUMMARIZE) at a time is allowed: this connection is read-only."

_READ: Final = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"}
    | {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
)
_READ_AT: Final = ("node", "from_table", "left", "right", "source", "query", "child")
_TABLE_FUNCTIONS: Final = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
_FUNCTIONS: Final = frozenset(
    {"current_setting", "getenv", "getvariable", "nextval", "currval", "write_log", "col_description"}
    | {"obj_description", "shobj_description"}
)
_FUNCTION_BEGINNINGS: Final = ("pg_", "duckdb_", "has_", "inet_")
_SHOWN: Final = frozenset({"DESCRIBE", "SUMMARY"})


def refusal(tree: Any, *, schema: str, tables: Set[str], taken: Set[str]) -> str | None:
    """Return why a query is refused; None if it is allowed.

    Args:
        tree: Output of DuckDB's `json_serialize_sql` for the query, without null and empty values.
        schema: Schema of the tables.
        tables: Names that may be read, lower-case.
        taken: Names of DuckDB's own views, lower-case, which a CTE must not use.
    """
    if tree.get("error"):
        text = str(tree.get("error_message", ""))
        return ONLY if "SELECT" in text else f"DuckDB cannot read this SQL: {text}"
    statements = tree.get("statements", [])
    if len(statements) != 1:
        return ONLY
    ctes = {str(name).lower() for node in _nodes(statements) for name in _cte_names(node)}
    if hidden := ctes & taken:
        return f'"{min(hidden)}" cannot be the name of a WITH query.'
    faults = (_fault(node, schema=schema, names=tables | ctes, tables=tables) for node in _nodes(statements))
    return next(filter(None, faults), None)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _cte_names(node: dict[str, Any]) -> list[str]:
    return [entry["key"] for entry in node.get("cte_map", {}).get("map", [])]


def _fault(node: dict[str, Any], *, schema: str, names: Set[str], tables: Set[str]) -> str | None:
    for place in _READ_AT:
        found = node.get(place)
        if isinstance(found, dict) and "type" in found and "class" not in found and found["type"] not in _READ:
            return f"{found['type']} cannot be read from."
    kind = node.get("type")
    if kind == "BASE_TABLE":
        return _table_fault(node, schema, names, tables)
    if kind == "SHOW_REF" and (node.get("show_type") not in _SHOWN or "query" not in node):
        return "DESCRIBE and SUMMARIZE need a table or a query. Call list_tables for the tables."
    if kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).lower()
        return None if name in _TABLE_FUNCTIONS else f"{name}() cannot be read from."
    if node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        refused = name in _FUNCTIONS or name.startswith(_FUNCTION_BEGINNINGS)
        return f"{name}() cannot be used." if refused else None
    return None


def _table_fault(node: dict[str, Any], schema: str, names: Set[str], tables: Set[str]) -> str | None:
    name = str(node.get("table_name", "")).lower()
    within = str(node.get("schema_name", "")).lower()
    if not node.get("catalog_name") and (name in (tables if within else names)) and within in ("", schema.lower()):
        return None
    written = ".".join(str(node[part]) for part in ("catalog_name", "schema_name", "table_name") if node.get(part))
    return f'There is no table "{written}". Known: {", ".join(sorted(tables)) or "none; nothing has been synced"}.'
