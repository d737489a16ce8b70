"""Remove rows and secrets from messages, logs and traces of failures: dlt and destinations quote them."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import tomlkit
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.configuration.utils import get_resolved_traces
from dlt.destinations.exceptions import DatabaseException
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline
from dlt.pipeline.trace import save_trace
from tomlkit.exceptions import ParseError, TOMLKitError

from dlt_authsignal.destination.dlt_patches import is_anothers
from dlt_authsignal.destination.quoted_values import LEFT_OUT, without_values
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.project.text_files import is_marked, read_text

_ABOUT_ROWS: Final = ("extract", "normalize", "load")
_PASSING: Final = ("dlt_authsignal",)
"""Loggers of this package, whose messages quote no values."""

QUOTING_ERRORS: Final = (PipelineStepFailed, TomlProviderReadException, DatabaseException)
"""Errors that are not shown as the cause of this package's errors: they may quote a row or a line of secrets.toml."""


def why(failed: PipelineStepFailed) -> str:
    """Return why a step failed: the destination's reason if it rejected something."""
    cause: BaseException = failed.exception
    if failed.step not in _ABOUT_ROWS:
        return str(cause)
    table = str(getattr(cause, "job_id", "")).split(".", maxsplit=1)[0]
    reason = without_values(str(getattr(cause, "client_exception", None) or cause))
    return f"{f'table {table}: ' if table else ''}{reason} {LEFT_OUT}"


def unreadable(error: TomlProviderReadException) -> str:
    """Return which settings file is invalid, and where; never its content."""
    for path in map(Path, error.full_paths):
        try:
            tomlkit.parse(read_text(path))
        except FileNotFoundError:
            continue
        except ParseError as fault:
            return f'{path} is not valid TOML: see line {fault.line}. Text needs quotes on one line: name = "…"'
        except ConfigurationError as fault:
            return str(fault)
        except TOMLKitError:
            return f"{path} is not valid TOML. Look for a name that is defined twice."
        except OSError as fault:
            return f"{path} cannot be read: {fault.strerror}."
        if is_marked(path):  # plugins of dlt are switched off
            return f"{path} starts with a byte-order mark, which dlt refuses. Save it as UTF-8 without BOM."
    return f"{error.file_name} cannot be read."


def hide_from_trace(*settings: str) -> None:
    """Keep this package's settings out of dlt's trace, where dlt writes all values that are not marked as secret."""
    traces = get_resolved_traces()
    for log in (traces.resolved_traces, traces.all_traces):
        log[:] = [trace for trace in log if trace.key not in settings or not _is_setting_of_ours(trace.config)]


def _is_setting_of_ours(config: object) -> bool:
    """Whether a configuration class is this package's: dlt creates it in the module of the function."""
    return config is None or type(config).__module__.partition(".")[0] == __package__.partition(".")[0]


@contextmanager
def redacted(pipeline: Pipeline) -> Iterator[None]:
    """Keep rows out of dlt's log and trace when a load fails, and out of its folder after one has succeeded."""
    try:
        with redacted_log():
            yield
    except PipelineStepFailed as failed:
        _rewrite_trace(pipeline, failed)
        raise
    else:
        for folder in Path(pipeline.working_dir).glob("load/loaded/*/.exceptions"):
            shutil.rmtree(folder)


@contextmanager
def redacted_log() -> Iterator[None]:
    """Keep rows out of dlt's log. Records of other pipelines, in other threads, are not changed."""
    log, guard = logging.getLogger("dlt"), _WithoutValues()
    log.addFilter(guard)
    try:
        yield
    finally:
        log.removeFilter(guard)


def _rewrite_trace(pipeline: Pipeline, failed: PipelineStepFailed) -> None:
    trace = pipeline.last_trace
    if trace is None or failed.step not in _ABOUT_ROWS:
        return
    trace.steps[:] = [
        step._replace(step_info=None, step_exception=why(failed), exception_traces=[]) if step.step_exception else step
        for step in trace.steps
    ]
    save_trace(pipeline.working_dir, trace)


class _WithoutValues(logging.Filter):
    """Shorten every record that dlt logs: destinations' errors and tracebacks quote rows.

    A record passes unchanged only if this package logged it, or if another package's pipeline is known to be running.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _PASSING and not is_anothers():
            kind = record.exc_info[0] if record.exc_info else None
            record.msg = without_values(record.getMessage()) + (f" ({kind.__name__})" if kind else "")
            record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
        return True


@contextmanager
def untraced(pipeline: Pipeline) -> Iterator[None]:
    """Turn off dlt's trace for the block, so that the trace of the sync itself stays the last one."""
    traced = pipeline.config.enable_runtime_trace
    pipeline.config.enable_runtime_trace = False
    try:
        yield
    finally:
        pipeline.config.enable_runtime_trace = traced
