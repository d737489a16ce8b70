"""The name that dlt gives a field in snake case: `riskScore` becomes `risk_score`.

These are the rules of dlt's naming convention `snake_case`, without its limit of length. They are repeated here so that
workers can shape rows without importing dlt, and because dlt remembers every name: customers may use ids as keys.
tests/unit/test_field_names.py compares the names with dlt's.
"""

import re
from functools import lru_cache
from typing import Final

_LETTERS: Final = str.maketrans({"+": "x", "-": "_", "*": "x", "@": "a", "|": "l"})
_OTHERS: Final = re.compile(r"[^a-zA-Z\d_]+")
_BEFORE_A_WORD: Final = re.compile(r"([^_])([A-Z][a-z]+)")
_BEFORE_A_CAPITAL: Final = re.compile(r"([a-z0-9])([A-Z])")
_UNDERSCORES: Final = re.compile(r"__+")


@lru_cache(maxsize=4096)
def snake_case(field: str) -> str:
    """Return dlt's name of a field, without its parents' names. A blank field is `_empty`."""
    name = _OTHERS.sub("_", field.strip().translate(_LETTERS))
    if not name:
        return "_empty"
    name = _BEFORE_A_CAPITAL.sub(r"\1_\2", _BEFORE_A_WORD.sub(r"\1_\2", name)).lower()
    if name[0].isdecimal():
        name = f"_{name}"
    plain = name.rstrip("_")
    return _UNDERSCORES.sub("_", plain + "x" * (len(name) - len(plain)))
