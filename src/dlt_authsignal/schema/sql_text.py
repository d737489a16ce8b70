"""Quote names and texts for SQL statements that cannot take parameters."""


def quoted(name: str) -> str:
    """An identifier, safe in SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(value: object) -> str:
    """A text, safe in SQL. (Values given apart from it make DuckDB import pandas, which takes longer than all else.)"""
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"
