"""What a table and its columns are made of, for the registry and the tables that the pipeline adds."""

from dataclasses import dataclass, replace
from typing import Literal

from dlt_authsignal.schema.sensitivity import SENSITIVITY, Kind, Sensitivity

ApiName = Literal["client", "server"]
DataType = Literal["text", "timestamp", "bool", "bigint", "double", "json"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: Name in the destination.
        field: Path in the API's answer, dots between levels; None for what the pipeline adds.
        type: dlt data type; `json` keeps lists and free-form objects whole.
        meaning: One sentence for people.
        kind: What it says of a person; `source/privacy/policy.py` protects it by that.
        only: The one API that answers it, in a table that others fill too; None where all of them do.
    """

    name: str
    field: str | None
    type: DataType
    meaning: str
    kind: Kind = "plain"
    only: ApiName | None = None

    @property
    def sensitivity(self) -> Sensitivity:
        """How much it says of a person."""
        return SENSITIVITY[self.kind]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        name: Table and resource name.
        apis: APIs that fill it.
        key: Merge key, in the destination's names.
        columns: API columns; `PROVENANCE` is added to each table.
        meaning: Grain and content.
        source: The route it is read from.
        opt_in: True when it is read only if named.
        history: True where `<name>_history` keeps every version that a row has had.
    """

    name: str
    apis: tuple[ApiName, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    meaning: str
    source: str
    opt_in: bool = False
    history: bool = False


def _snake(field: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in field).lstrip("_")


def column_name(field: str) -> str:
    """`webauthnCredential.aaguidMapping.name` becomes `webauthn_credential__aaguid_mapping__name`."""
    return "__".join(_snake(part) for part in field.split("."))


def _column(field: str, type: DataType, meaning: str, kind: Kind = "plain") -> Column:
    return Column(name=column_name(field), field=field, type=type, meaning=meaning, kind=kind)


def text(field: str, meaning: str, kind: Kind = "plain") -> Column:
    """A field of text."""
    return _column(field, "text", meaning, kind)


def time(field: str, meaning: str) -> Column:
    """A field that holds a time."""
    return _column(field, "timestamp", meaning)


def flag(field: str, meaning: str) -> Column:
    """A field that is true or false."""
    return _column(field, "bool", meaning)


def json(field: str, meaning: str, kind: Kind = "plain") -> Column:
    """A list or free-form object, kept whole."""
    return _column(field, "json", meaning, kind)


def own(name: str, type: DataType, meaning: str, kind: Kind = "plain") -> Column:
    """A column that the pipeline adds."""
    return Column(name=name, field=None, type=type, meaning=meaning, kind=kind)


def of_client(column: Column) -> Column:
    """The same column, which only the Client API answers."""
    return replace(column, only="client")
