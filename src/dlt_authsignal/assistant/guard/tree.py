"""Check of an assistant's query: it must be one SELECT on the visible tables, made of known parts.

The check uses the syntax tree of DuckDB's own parser, so both read the SQL in the same way. Each kind of node and
each function must be on a list of allowed ones. SQL in a text is never run, because no allowed function runs it.
"""

import re
from collections.abc import Iterator, Set
from typing import Any, Final

from dlt_authsignal.assistant.guard.functions import TABLE_FUNCTIONS, allowed_functions

ONLY: Final = "Only one SELECT (or WITH, DESCRIBE, SUMMARIZE) at a time is allowed: this connection is read-only."

_STATEMENT: Final = frozenset({"node", "named_param_map"})
_QUERIES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_SOURCES: Final = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"}
)
_MODIFIERS: Final = frozenset(
    {"DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"}
    | {"ASCENDING", "DESCENDING", "ORDER_DEFAULT"}
)
_TYPE_DETAILS: Final = frozenset(
    {"ANY_TYPE_INFO", "ARRAY_TYPE_INFO", "DECIMAL_TYPE_INFO", "GENERIC_TYPE_INFO", "LIST_TYPE_INFO", "STRING_TYPE_INFO"}
    | {"STRUCT_TYPE_INFO", "UNBOUND_TYPE_INFO", "USER_TYPE_INFO"}
)
_KINDS: Final = _QUERIES | _SOURCES | _MODIFIERS | _TYPE_DETAILS
_EXPRESSIONS: Final = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"}
    | {"LAMBDA", "LAMBDA_REF", "OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW"}
)
_CALLS: Final = frozenset({"FUNCTION", "WINDOW"})
_READ_AT: Final = ("node", "from_table", "left", "right", "source", "query", "child")
_SHOWN: Final = frozenset({"DESCRIBE", "SUMMARY"})
_PLAIN_NAME: Final = re.compile(r"\w+")


def refusal(tree: Any, *, schema: str, tables: Set[str], taken: Set[str]) -> str | None:
    """Return why a query is refused; None if it is allowed.

    Args:
        tree: Output of DuckDB's `json_serialize_sql` for the query, without null and empty values.
        schema: Schema of the tables.
        tables: Names that may be read, lower-case.
        taken: Names of DuckDB's own tables and views, lower-case, which a CTE must not use.
    """
    if tree.get("error"):
        text = str(tree.get("error_message", ""))
        return ONLY if "SELECT" in text else f"DuckDB cannot read this SQL: {text}"
    statements = tree.get("statements", [])
    if len(statements) != 1 or not statements[0].keys() <= _STATEMENT:
        return ONLY
    ctes = {str(name).lower() for node in _nodes(statements) for name in _cte_names(node)}
    if hidden := {name for name in ctes if name in taken or not _PLAIN_NAME.fullmatch(name)}:
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
        if isinstance(found, dict) and "class" not in found and found.get("type", "EMPTY") not in _QUERIES | _SOURCES:
            return f"{found['type']} cannot be read from."
    if "class" in node:
        return _expression_fault(node)
    kind = node.get("type")
    if kind == "BASE_TABLE":
        return _table_fault(node, schema, names, tables)
    if kind == "SHOW_REF" and (node.get("show_type") not in _SHOWN or "query" not in node):
        return "DESCRIBE and SUMMARIZE need a table or a query. Call list_tables for the tables."
    if kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).lower()
        return None if name in TABLE_FUNCTIONS else f"{name}() cannot be read from."
    return f"{kind} cannot be used." if isinstance(kind, str) and kind not in _KINDS else None


def _expression_fault(node: dict[str, Any]) -> str | None:
    kind = node["class"]
    if kind not in _EXPRESSIONS:
        return f"{kind} cannot be used."
    name = str(node.get("function_name", "")).lower()
    if kind in _CALLS and name not in allowed_functions() | TABLE_FUNCTIONS:
        return f"{name}() cannot be used. Only functions that compute on their arguments are allowed."
    return None


def _table_fault(node: dict[str, Any], schema: str, names: Set[str], tables: Set[str]) -> str | None:
    if "at_clause" in node:
        return "AT cannot be used. Only the present version of a table can be read."
    name = str(node.get("table_name", "")).lower()
    within = str(node.get("schema_name", "")).lower()
    if not node.get("catalog_name") and (name in (tables if within else names)) and within in ("", schema.lower()):
        return None
    written = ".".join(str(node[part]) for part in ("catalog_name", "schema_name", "table_name") if node.get(part))
    return f'There is no table "{written}". Known: {", ".join(sorted(tables)) or "none; nothing has been synced"}.'
