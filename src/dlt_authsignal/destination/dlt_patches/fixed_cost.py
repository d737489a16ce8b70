"""Avoid work that dlt repeats in each run and that does not depend on the data.

The results stay the same. `python benchmarks/fixed_cost.py` compares a sync with a plain dlt run.
"""

import gc
import re
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import wraps
from types import SimpleNamespace
from typing import Any, Final

from dlt_authsignal.destination.clients import copied
from dlt_authsignal.destination.dlt_patches.replaced import check_signature, replace
from dlt_authsignal.project.garbage import SELDOM

TURN_SECONDS: Final = 0.001

_TYPES_KEPT: Final = 10_000


def remember_types() -> None:
    """Remember what dlt finds out about types, which it works out again for each setting and each table.

    The answers depend on nothing but the type. They take a third of the time of a sync that has nothing to load.
    """
    from dlt.common import validation
    from dlt.common.configuration import resolve
    from dlt.common.configuration.providers import environ
    from dlt.common.configuration.specs.base_configuration import BaseConfiguration

    flags = ("preserve_new_types", "preserve_literal", "preserve_annotated")
    replace(environ, "is_secret_hint", ("hint",), _remembered)
    replace(resolve, "is_secret_hint", ("hint",), _remembered)
    replace(resolve, "extract_inner_hint", ("hint", *flags), _remembered)
    replace(validation, "get_type_hints", ("obj", "globalns", "localns", "include_extras"), _by_class)
    replace(BaseConfiguration, "get_resolvable_fields", ("cls",), _of_its_class)


def _remembered(original: Callable[..., Any]) -> Callable[..., Any]:
    """Remember the answers for each type by its identity, because `Optional[X] == Union[None, X]`."""
    known: dict[Any, tuple[Any, Any]] = {}

    @wraps(original)
    def ask(hint: Any, *arguments: Any, **flags: Any) -> Any:
        place = (id(hint), arguments, *flags.items())
        if (found := known.get(place)) is None:
            if len(known) >= _TYPES_KEPT:
                known.clear()
            found = known[place] = (hint, original(hint, *arguments, **flags))  # keeps the type, and so its identity
        return found[1]

    return ask


def _by_class(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Remember the fields of each class. Callers get a copy, which they may change."""
    known: weakref.WeakKeyDictionary[type, dict[str, Any]] = weakref.WeakKeyDictionary()

    @wraps(original)
    def fields(cls: type, *arguments: Any, **flags: Any) -> dict[str, Any]:
        if cls not in known:
            known[cls] = original(cls, *arguments, **flags)
        return dict(known[cls])

    return fields


def _of_its_class(original: Any) -> Any:
    return classmethod(_by_class(original.__func__))


def prepare_tables_quickly() -> None:
    """Spare dlt three steps that it repeats for each table, some three hundred times in a sync.

    It looks for a setting of functions that have none, copies tables field by field, and describes them as YAML.
    """
    from dlt.common.destination import client, utils
    from dlt.common.normalizers.json import helpers
    from dlt.common.schema import utils as schema_utils
    from dlt.extract import extract as step

    extract: Any = step  # it does not export the module that is replaced
    parameters = ("tables", "table", "destination_capabilities")
    for module in (utils, client):
        replace(module, "prepare_load_table", parameters, _without_settings)
    for module in (utils, helpers):
        replace(module, "resolve_merge_strategy", parameters, _without_settings)
    replace(schema_utils, "deepcopy", ("x", "memo", "_nil"), _copied)
    if not isinstance(extract.yaml, SimpleNamespace):
        dump = check_signature(extract.yaml, "dump", "data", "stream", "Dumper", "kwds")
        vars(extract)["yaml"] = SimpleNamespace(dump=_in_c(dump))


def show_places_quickly() -> None:
    """Spare dlt the import of SQLAlchemy, which it uses in each load to write the place of a database as a URL.

    Where SQLAlchemy is not installed, dlt uses a copy of its class for URLs. So do we, for names that all versions of
    SQLAlchemy write alike, and until something else imports it.
    """
    from dlt.common.configuration.specs.connection_string_credentials import ConnectionStringCredentials

    replace(ConnectionStringCredentials, "__str__", ("self",), _with_copied_class)


_SAME_IN_URLS: Final = re.compile(r"[A-Za-z0-9_./+ -]*")
"""Names of databases that are not escaped. Versions of SQLAlchemy differ in which other characters they escape."""


def _with_copied_class(original: Callable[[Any], str]) -> Callable[[Any], str]:
    from dlt.common.configuration.specs.connection_string_credentials import ConnectionStringCredentials
    from dlt.common.libs.sql_alchemy_shims import URL

    to_url = ConnectionStringCredentials.to_url

    @wraps(original)
    def text(self: Any) -> str:
        is_plain = _SAME_IN_URLS.fullmatch(self.database or "") and not self.query and type(self).to_url is to_url
        if not is_plain or "sqlalchemy" in sys.modules:
            return original(self)
        try:
            url = URL.create(self.drivername, self.username, self.password, self.host, self.port, self.database)
            return url.render_as_string(hide_password=True)
        except Exception:
            return original(self)

    return text


def _without_settings(original: Any) -> Callable[..., Any]:
    """Call a function whose only setting is the capabilities of a destination: the caller's, or the context's.

    dlt takes the same ones, but resolves a configuration at each call.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.destination.capabilities import DestinationCapabilitiesContext

    inner = original.__wrapped__

    @wraps(original)
    def call(tables: Any, table: Any, destination_capabilities: Any = None) -> Any:
        if destination_capabilities is None and DestinationCapabilitiesContext in (container := Container()):
            destination_capabilities = container[DestinationCapabilitiesContext]
        if destination_capabilities is None:
            return original(tables, table)
        return inner(tables, table, destination_capabilities)

    return call


_UNCHANGING: Final = frozenset({str, int, float, bool, type(None)})


def _copied(original: Any) -> Callable[[Any], Any]:
    return wraps(original)(copy_of_plain)


def copy_of_plain(value: Any) -> Any:
    """`copy.deepcopy` for tables of a schema, which are dictionaries and lists of text, numbers and flags."""
    kind = type(value)
    if kind in _UNCHANGING:
        return value
    if kind is dict:
        return {key: copy_of_plain(each) for key, each in value.items()}
    if kind is list:
        return [copy_of_plain(each) for each in value]
    return deepcopy(value)


def _in_c(dump: Callable[..., Any]) -> Callable[..., Any]:
    """`yaml.dump` with the emitter in C, where PyYAML was built with it."""
    import yaml

    quick = getattr(yaml, "CDumper", yaml.Dumper)

    @wraps(dump)
    def text(data: Any, **how: Any) -> Any:
        return dump(data, Dumper=quick, **how)

    return text


@contextmanager
def resolved_once(destination: Any) -> Iterator[None]:
    """Resolve the settings of a destination once until the block ends: dlt does it for each of some thirty clients.

    The clients share the credentials, and with them DuckDB's connections.
    """
    check_signature(type(destination), "configuration", "self", "initial_config", "accept_partial")
    resolve, own = destination.configuration, vars(destination).get("configuration")
    known: dict[Any, Any] = {}

    @wraps(resolve)
    def configuration(initial_config: Any, accept_partial: bool = False) -> Any:
        given = dict(initial_config or {})
        if given.pop("credentials", None) is not None and not accept_partial:
            return resolve(initial_config, accept_partial)
        place = (accept_partial, type(initial_config), repr(given))
        if place not in known:
            known[place] = resolve(initial_config, accept_partial)
        return copied(known[place])

    destination.configuration = configuration
    try:
        yield
    finally:
        del destination.configuration
        if own is not None:
            destination.configuration = own


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Run garbage collection less often: responses are many small objects without cycles, and each run is slow."""
    before, is_first = gc.get_threshold(), not gc.get_freeze_count()  # objects that the host froze stay frozen
    if is_first:
        gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if is_first:
            gc.unfreeze()


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take shorter turns at Python's lock. A thread that writes to disk gives the lock back at each call of
    the system, and waits for a turn of the others after each."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def already_synced(pipeline: Any) -> Iterator[None]:
    """Keep `pipeline.run` from restoring state and schemas that `pipeline.sync_destination` has just restored.

    The setting `restore_from_destination` would also keep dlt from storing the state.
    """
    restored, pipeline._state_restored = pipeline._state_restored, True
    try:
        yield
    finally:
        pipeline._state_restored = restored


@contextmanager
def before_loading(pipeline: Any, deed: Callable[[], Any]) -> Iterator[None]:
    """Do something in `pipeline.run` when everything is read and before it is loaded."""
    load = pipeline.load

    @wraps(load)
    def prepared(*arguments: Any, **settings: Any) -> Any:
        deed()
        return load(*arguments, **settings)

    pipeline.load = prepared
    try:
        yield
    finally:
        del pipeline.load
