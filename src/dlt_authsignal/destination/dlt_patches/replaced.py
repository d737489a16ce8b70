"""Replace functions and properties of dlt, each after a check that it is the one that dlt 1.31 has."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError


def check_signature(owner: Any, name: str, *parameters: str) -> Any:
    """Return the function or property of dlt with this name.

    Raises:
        ConfigurationError: It does not exist, or takes other parameters.
    """
    found = inspect.getattr_static(owner, name, None)
    function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    if callable(function) and tuple(inspect.signature(function).parameters) == parameters:
        return found
    from dlt.version import __version__ as version

    where = getattr(owner, "__qualname__", None) or owner.__name__
    raise ConfigurationError(
        f"dlt {version} is not supported: {where}.{name}({', '.join(parameters)}) differs from dlt 1.31."
        " Nothing was loaded. Install a supported version: pip install 'dlt>=1.31,<1.32'"
    )


_REPLACED: Final[set[tuple[str, str]]] = set()


def replace(owner: Any, name: str, parameters: tuple[str, ...], make: Callable[[Any], Any]) -> None:
    """Replace a function or property of dlt by `make(original)`, once per process."""
    place = (f"{getattr(owner, '__module__', '')}.{owner.__name__}", name)
    if place not in _REPLACED:
        setattr(owner, name, make(check_signature(owner, name, *parameters)))
        _REPLACED.add(place)
