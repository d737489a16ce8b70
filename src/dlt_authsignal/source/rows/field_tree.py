"""The fields of a table's responses, each with the column that its spelling gives it.

A column depends on the table and the spelling of the field and its parents alone: never on the other fields of a
response, their order, an earlier run, or the destination. docs/decisions/0015-column-names.md explains the rules.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.reserved_names import LONGEST_NAME, RESERVED_NAMES, is_marked, marked
from dlt_authsignal.schema.secret_fields import is_withheld
from dlt_authsignal.schema.sensitivity import FREE_FORM, is_free_form
from dlt_authsignal.schema.tables.histories import VALID_FROM, VALID_TO
from dlt_authsignal.schema.tables.server import PROVENANCE_NAMES
from dlt_authsignal.source.rows.snake_case import snake_case

MORE: Final = "_more"
"""Column for all fields that have no column of their own."""

MOST_KNOWN: Final = 20_000
"""Fields of one table to remember. With more, the tree starts again: a column does not depend on what is remembered."""

Path = tuple[str, ...]

_OURS: Final = PROVENANCE_NAMES | {DELETED_AT.name, VALID_FROM.name, VALID_TO.name, MORE}
_TENANT_ID: Final[Mapping[Path, str]] = {("tenantId",): "tenant_id"}
_CAMEL: Final = re.compile(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*)*")
_VARIANT: Final = re.compile(r"__v_(text|timestamp|bool|bigint|double|json)$")


class Field(dict[str, "Field"]):
    """One field, and the fields of its objects by their spelling. Looking up a field adds it.

    Attributes:
        path: Spelling of the field and its parents.
        column: Its column.
        plain: Its name as dlt spells it, which other fields may share. Privacy rules depend on it.
        is_withheld: Whether it is never loaded.
        is_whole: Whether its objects are not flattened.
        is_custom: Whether its objects keep all their field names, because the customer chose them.
        is_parent: Whether it is the parent of a declared column.
    """

    __slots__ = ("_tree", "column", "is_custom", "is_parent", "is_whole", "is_withheld", "path", "plain")

    def __init__(self, tree: "FieldTree", path: Path) -> None:
        super().__init__()
        self._tree = tree
        self.path = path
        self.plain = "__".join(map(snake_case, path))
        self.column = tree.column_of(path, self.plain)
        self.is_withheld = bool(path) and is_withheld(path[-1])
        self.is_whole = self.plain in tree.whole or (bool(path) and is_free_form(path[-1]))
        self.is_custom = path[-1:] == ("custom",)
        self.is_parent = path in tree.parents

    def __missing__(self, field: str) -> "Field":
        found = self[field] = Field(self._tree, (*self.path, field))
        self._tree.known += 1
        return found


class FieldTree:
    """The fields of one table.

    Attributes:
        top: The top-level fields, as the fields of an object without a name.
        whole: Plain names of the fields whose objects are not flattened. Free-form customer data is never flattened.
        parents: Paths of the parents of declared columns.
        known: Number of fields that are remembered.
    """

    def __init__(self, table: Table) -> None:
        self._declared = {tuple(column.field.split(".")): column.name for column in table.columns if column.field}
        self._declared |= _TENANT_ID
        self._paths = {column: path for path, column in self._declared.items()}
        self._taken = _OURS | RESERVED_NAMES | {column.name for column in table.columns}
        self._plain: dict[str, str] = {}
        self.whole = FREE_FORM | {column.name for column in table.columns if column.type == "json"}
        self.parents = frozenset(path[:end] for path in self._declared for end in range(1, len(path)))
        self.known = 0
        self.top = Field(self, ())

    def forget(self) -> None:
        """Start again if there are too many fields."""
        if self.known > MOST_KNOWN:
            self._plain.clear()
            self.known, self.top = 0, Field(self, ())

    def plain(self, column: str) -> str:
        """Return the plain name of the field of a column; the column's own name if it has no mark."""
        return self._plain.get(column, column)

    def beside(self, column: str) -> str:
        """Return the column for values of a declared field that may not go into its own column."""
        return self._marked(self._paths.get(column, (column,)), column)

    def column_of(self, path: Path, plain: str) -> str:
        """Return the column of a field: its declared one, else its plain name, with a mark if others may need that.

        A plain name needs no mark if the spelling is the API's own (`riskScore`) and the name is free in every
        destination. Of all spellings with one plain name, one has no mark.
        """
        if path in self._declared:
            return self._declared[path]
        is_free = not (plain in self._taken or len(plain) > LONGEST_NAME or is_variant(plain) or is_marked(plain))
        return plain if is_free and all(map(is_camel, path)) else self._marked(path, plain)

    def _marked(self, path: Path, plain: str) -> str:
        digits = hashlib.blake2b(json.dumps(path).encode(), digest_size=4).hexdigest()
        column = marked("__".join(map(_lettered, path)), digits)
        self._plain[column] = plain
        return column


def _lettered(field: str) -> str:
    """Return the name of a field that begins with a letter: a leading underscore or digit may be reserved."""
    name = snake_case(field).strip("_")
    return name if name[:1].isalpha() else f"field_{name}".rstrip("_")


@lru_cache(maxsize=4096)
def is_camel(field: str) -> bool:
    """Return whether the API would spell a field so: no other such spelling has its name."""
    first, *others = snake_case(field).split("_")
    return _CAMEL.fullmatch(field) is not None and field == first + "".join(map(str.capitalize, others))


def is_variant(name: str) -> bool:
    """Return whether a column stores values of another type than the column it belongs to."""
    return _VARIANT.search(name) is not None


def variant_of(column: str, kind: str) -> str:
    """Return the column for values of another type than that of their column."""
    name = f"{column}__v_{kind}"
    if len(name) <= LONGEST_NAME:
        return name
    digits = hashlib.blake2b(column.encode(), digest_size=4).hexdigest()
    return f"{marked(column[: LONGEST_NAME - len(f'__x{digits}__v_{kind}')].rstrip('_'), digits)}__v_{kind}"


def base_of(name: str) -> str:
    """Return the column that a column for values of another type belongs to."""
    return _VARIANT.sub("", name)
