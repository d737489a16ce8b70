"""Translate errors of dlt and of the destination into this package's errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import (
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
    InvalidNativeValue,
)
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import DltException, MissingDependencyException
from dlt.common.pipeline import PipelineContext
from dlt.destinations.exceptions import DatabaseException, DestinationConnectionError
from dlt.pipeline.exceptions import InvalidPipelineName, PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.advice.duckdb_file import file_fault
from dlt_authsignal.destination.advice.missing_parts import incomplete
from dlt_authsignal.destination.advice.postgres import connection_fault, is_read_only
from dlt_authsignal.destination.advice.secrets import without_secrets
from dlt_authsignal.destination.dlt_patches import OF_LIBPQ
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.quoted_values import LEFT_OUT, without_values
from dlt_authsignal.destination.redaction import QUOTING_ERRORS, unreadable, why
from dlt_authsignal.destination.registry import DESTINATIONS, Destination, destination_of_type
from dlt_authsignal.errors import DOCS, AuthsignalError, ConfigurationError, RunFailed
from dlt_authsignal.project.waiting import in_use
from dlt_authsignal.project.writing import is_refusal, refused

_REFUSALS = ("permission denied", "insufficient privileges", "access denied")
_MISSING: Final = re.compile(
    r"not have a column|(column|table|relation|view)( with name)? \S+ does not exist|not found in FROM clause",
    re.IGNORECASE,
)
_RECREATED: Final = (
    "If a user of the database dropped a column or a table of the dataset, run: dlt-authsignal sync."
    " It creates them again. Tables of events: dlt-authsignal events load."
)
_RIGHTS = f"\n\nPrivileges that loading needs: {DOCS}/destinations.md"


@contextmanager
def translate_errors(destination: str) -> Iterator[None]:
    """Raise this package's error instead of the pipeline step errors that wrap it."""
    try:
        yield
    except AuthsignalError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, AuthsignalError | KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause:
            raise cause from None
        explained = _explained(error, destination)
        if explained is error:  # raised from itself, it would be its own cause
            raise
        raise explained from (None if isinstance(error, QUOTING_ERRORS) else error)


@contextmanager
def named_settings() -> Iterator[None]:
    """Raise this package's error for a setting whose value has the wrong form: dlt's own quotes the value."""
    wrong = None
    try:
        yield
    except ConfigValueCannotBeCoercedException as error:
        wrong = ConfigurationError(_wrong_form(error))
    if wrong:
        raise wrong


def _named(destination: str) -> Destination:
    return destination_of_type(dlt.config.get(f"destination.{destination}.destination_type", str) or destination)


def _explained(error: Exception, name: str) -> Exception:
    """Return this package's error for one of dlt or of the destination; the same error if its cause is unknown."""
    cause = error.exception if isinstance(error, PipelineStepFailed) else error
    if isinstance(cause, TomlProviderReadException):  # first: the code below reads the same files
        return ConfigurationError(unreadable(cause))
    destination = _named(name)
    text = str(cause)
    if "Could not set lock on file" in text:
        return RunFailed(in_use(text))
    is_of_python = isinstance(cause, OSError)  # DuckDB's own errors are none
    if isinstance(cause, OSError) and cause.filename and is_refusal(cause):
        return refused(cause)
    if destination.name == "duckdb" and not is_of_python and (fault := file_fault(text, _active_file())):
        return ConfigurationError(fault)
    if isinstance(cause, UnknownDestinationModule):
        known = ", ".join(DESTINATIONS)
        return ConfigurationError(
            f'dlt has no destination "{name}". Destinations: {known} ({DOCS}/destinations.md). If "{name}" is your own'
            f" name for a destination, set destination_type under [destination.{name}] in .dlt/config.toml."
        )
    if wrong := _wrong_setting(cause, destination, name):
        return wrong
    if isinstance(cause, DestinationConnectionError):
        return _unreachable(cause.inner_exc, destination, name)
    # the driver's error while connecting: dlt wraps errors of queries
    if destination.module and type(cause).__module__.split(".")[0] == destination.module.split(".")[0]:
        return _unreachable(cause, destination, name)
    if isinstance(cause, ConfigurationException | MissingDependencyException | InvalidPipelineName):
        return ConfigurationError(text)
    if isinstance(error, PipelineStepFailed):
        rights = _rights(text)
        notes = "".join(f"\n\n{note}" for note in getattr(error, "__notes__", ()))
        return RunFailed(f"The {error.step} step failed: {why(error)}{rights}{notes}")
    if isinstance(cause, DatabaseException):
        return RunFailed(f"{destination.title} rejected a statement: {rejection(text)}")
    if isinstance(error, AttributeError) and isinstance(error.__context__, Exception):
        # dlt 1.31 rolls back on a connection that it has just closed
        explained = _explained(error.__context__, name)
        return error if explained is error.__context__ else explained
    return RunFailed(text) if isinstance(error, DltException | OSError) else error


def rejection(text: str) -> str:
    """Return why a database rejected a statement, without values and the statement, and what to do about it."""
    return f"{without_values(text)} {LEFT_OUT}{_rights(text) or _lost(text)}"


def _lost(text: str) -> str:
    """Return what to do about a missing column or table."""
    return f"\n\n{_RECREATED}" if _MISSING.search(text) else ""


def _wrong_setting(cause: BaseException, destination: Destination, name: str) -> ConfigurationError | None:
    """Return the error for a setting that is missing or has the wrong form; None for other errors."""
    if isinstance(cause, ConfigValueCannotBeCoercedException):
        return ConfigurationError(_wrong_form(cause))
    if isinstance(cause, InvalidNativeValue) and destination.credentials:
        return _unparsed(destination, name)
    return incomplete(cause, destination, name)


_FORMS: Final = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: 'a list, such as ["a", "b"]',
    dict: "a table of names and values",
}


def _wrong_form(cause: ConfigValueCannotBeCoercedException) -> str:
    """Return which setting has a value of the wrong form; not the value, which may be secret."""
    form = _FORMS.get(cause.hint, "of another form") if isinstance(cause.hint, type) else "of another form"
    return (
        f"The setting {cause.field_name} must be {form}. Nothing was changed. Correct it in .dlt/config.toml,"
        " .dlt/secrets.toml or the environment."
    )


def _active_file() -> str | None:
    """Return the path of the active pipeline's DuckDB file, for messages of DuckDB that do not contain it."""
    context = Container()[PipelineContext]
    pipeline = context.pipeline() if context.is_active() else None
    if not isinstance(pipeline, Pipeline) or pipeline.destination is None:
        return None
    with suppress(Exception):  # the settings may be what is wrong
        return str(database_file(pipeline) or "") or None
    return None


def _rights(text: str) -> str:
    """Return what to do if the destination accepted the connection, but not that it writes; empty for other errors."""
    if is_read_only(text):
        return (
            "\n\nThe server accepts only reads: it is a replica, or default_transaction_read_only is on. Set host to"
            " the primary server."
        )
    return _RIGHTS if any(word in text.lower() for word in _REFUSALS) else ""


def _unparsed(destination: Destination, name: str) -> ConfigurationError:
    """Return the error for credentials that are no URL. dlt's message may quote them."""
    return ConfigurationError(
        f"credentials under [destination.{name}] are not valid for {destination.title}. Nothing was loaded. In a URL,"
        " write @ : / ? of a password as %40 %3A %2F %3F. Or set each part alone, in .dlt/secrets.toml:\n\n"
        f"{destination.credentials}"
    )


def _unreachable(cause: BaseException, destination: Destination, name: str) -> AuthsignalError:
    reason = without_secrets(" ".join(str(cause).split()), name)
    if destination.name in OF_LIBPQ:
        fault, is_setting = connection_fault(reason, name)
        kind = ConfigurationError if is_setting else RunFailed
        return kind(f"Cannot connect to {destination.title}: {fault} Nothing was loaded.")
    text = f"Cannot connect to {destination.title}: {reason}. Check [destination.{name}] in"
    text += " .dlt/secrets.toml and .dlt/config.toml."
    return ConfigurationError(text) if "authentication failed" in reason else RunFailed(text)
