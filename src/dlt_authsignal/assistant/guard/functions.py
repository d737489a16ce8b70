"""Lists of the functions that a query may call. `functions.txt` says which are on the list and why."""

from functools import cache
from importlib.resources import files
from typing import Final

TABLE_FUNCTIONS: Final = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})


@cache
def allowed_functions() -> frozenset[str]:
    """Return the names, lower-case."""
    lines = files(__package__).joinpath("functions.txt").read_text("utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())
