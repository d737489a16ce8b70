"""`Table` and `Column`: the building blocks of the table registry and of the pipeline's own tables."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from dlt_authsignal.schema.sensitivity import SENSITIVITY, Kind, Sensitivity

ApiName = Literal["client", "server", "management", "webhook"]
DataType = Literal["text", "timestamp", "bool", "bigint", "double", "json"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: Name in the destination.
        field: Path in the API's response, levels separated by dots; None for columns that the pipeline adds.
        type: dlt data type; `json` stores lists and free-form objects unflattened.
        meaning: One sentence that describes the column.
        kind: Kind of personal data in it; `source/privacy/policy.py` decides the protection by it.
        only: The one API that returns it, in a table that other APIs fill too; None if all of them do.
        is_activity: Whether it changes with use. Such a change is no change of the row, and makes no new version.
        is_derived: Whether a library derives it from another column. A newer library may recognise more, which is no
            change of the row either.
    """

    name: str
    field: str | None
    type: DataType
    meaning: str
    kind: Kind = "plain"
    only: ApiName | None = None
    is_activity: bool = False
    is_derived: bool = False

    @property
    def sensitivity(self) -> Sensitivity:
        """Return how directly the column identifies a person."""
        return SENSITIVITY[self.kind]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        name: Table and resource name.
        apis: APIs that the table is read from.
        key: Merge key, as column names of the destination.
        columns: API columns; `PROVENANCE` is added to each table.
        meaning: Grain and content of the table.
        source: API route that the table is read from.
        opt_in: True if the table is read only when selected.
        history: True if `<name>_history` keeps every version of a row.
        is_closed: True if only declared fields load, because others may hold credentials.
    """

    name: str
    apis: tuple[ApiName, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    meaning: str
    source: str
    opt_in: bool = False
    history: bool = False
    is_closed: bool = False


def _snake(field: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in field).lstrip("_")


def column_name(field: str) -> str:
    """Return the column name of an API field: `aaguidMapping.name` becomes `aaguid_mapping__name`."""
    return "__".join(_snake(part) for part in field.split("."))


def _column(field: str, type: DataType, meaning: str, kind: Kind = "plain") -> Column:
    return Column(name=column_name(field), field=field, type=type, meaning=meaning, kind=kind)


def text(field: str, meaning: str, kind: Kind = "plain") -> Column:
    """Return a text column for an API field."""
    return _column(field, "text", meaning, kind)


def time(field: str, meaning: str) -> Column:
    """Return a timestamp column for an API field."""
    return _column(field, "timestamp", meaning)


def flag(field: str, meaning: str) -> Column:
    """Return a boolean column for an API field."""
    return _column(field, "bool", meaning)


def number(field: str, meaning: str) -> Column:
    """Return a whole-number column for an API field."""
    return _column(field, "bigint", meaning)


def json(field: str, meaning: str, kind: Kind = "plain") -> Column:
    """Return a JSON column for a list or free-form object."""
    return _column(field, "json", meaning, kind)


def own(name: str, type: DataType, meaning: str, kind: Kind = "plain") -> Column:
    """Return a column that the pipeline adds."""
    return Column(name=name, field=None, type=type, meaning=meaning, kind=kind)


def activity(column: Column) -> Column:
    """The same column, whose changes make no new version of a row."""
    return replace(column, is_activity=True)


def derived(name: str, meaning: str) -> Column:
    """Return a text column that a library derives from another column."""
    return Column(name=name, field=None, type="text", meaning=meaning, is_derived=True)


def of_client(column: Column) -> Column:
    """The same column, which only the Client API answers."""
    return replace(column, only="client")


DELETED_AT: Final = own(
    "deleted_at",
    "timestamp",
    "When a complete read no longer returned the row; null while it exists. The other columns keep their last values.",
)
