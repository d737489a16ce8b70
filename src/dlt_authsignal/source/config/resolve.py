"""Resolve the source's settings with dlt, and refuse unknown names."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import dlt
from dlt.common.configuration import inject_section, resolve_configuration
from dlt.common.configuration.providers.toml import SettingsTomlProvider
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext

from dlt_authsignal.destination.errors import named_settings
from dlt_authsignal.destination.redaction import hide_from_trace
from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.source.config.source_settings import NAMES, PYTHON_ONLY, SourceConfiguration, SourceSettings

SECTION: Final = "sources.authsignal_source"
_SECTIONS: Final = ("sources", "authsignal_source", "authsignal_source")
_OF_DLT: Final = frozenset({"max_table_nesting", "root_key", "schema_contract"})
"""Settings that dlt itself reads from the section of a source."""

_OF_PROJECT: Final = frozenset({"pipeline_name", "dataset_name"})
"""Settings of a project in the same section, which `project.names` reads."""


def resolved_settings(pipeline_name: str | None = None, **given: Any) -> SourceSettings:
    """Return the settings that the pipeline's source uses: the given ones, then dlt's, then the defaults.

    Args:
        pipeline_name: Pipeline whose own sections are read too.
        **given: Settings that win over those that dlt finds; None is a value too.

    Raises:
        ConfigurationError: A setting is unknown or wrong.
    """
    check_names(given)
    check_configured(pipeline_name)
    with named_settings(), inject_section(ConfigSectionContext(pipeline_name=pipeline_name, sections=_SECTIONS)):
        found: Any = resolve_configuration(
            SourceConfiguration(), explicit_value={name: given[name] for name in given if name not in PYTHON_ONLY}
        )
    hide_from_trace(*SourceSettings.PERSONAL)
    return SourceSettings(**dict(found), **{name: given[name] for name in PYTHON_ONLY & given.keys()})


def check_names(given: Iterable[str], known: Collection[str] = NAMES) -> None:
    """Refuse unknown names of settings.

    Raises:
        ConfigurationError: Reports the first unknown name, and the setting with the most similar name.
    """
    for name in given:
        if name not in known:
            raise ConfigurationError(f'There is no setting "{name}".{nearest(name, known)} {_ALL}')


def check_configured(pipeline_name: str | None = None) -> None:
    """Refuse unknown names in the source's section of TOML files and in the environment.

    Raises:
        ConfigurationError: Reports the first unknown name, and where it is.
    """
    for name, where in found_names("authsignal_source", NAMES, pipeline_name):
        if name not in {*NAMES, *_OF_DLT, *_OF_PROJECT}:
            raise ConfigurationError(f'{where}: there is no setting "{name}".{nearest(name, NAMES)} {_ALL}')


_ALL: Final = f"All settings: {DOCS}/settings.md"


def nearest(name: str, known: Collection[str]) -> str:
    """Return a question with the most similar known name; empty if none is similar."""
    found = get_close_matches(name, known, n=1, cutoff=0.5)
    return f' Did you mean "{found[0]}"?' if found else ""


def found_names(section: str, known: Collection[str], pipeline_name: str | None) -> list[tuple[str, str]]:
    """Return the names of settings in a section of the sources, and where each is.

    A table in the section whose name is not known is left out: it is a resource's, or dlt's.
    """
    return [*_in_files(section, known, pipeline_name), *_in_environment(f"SOURCES__{section.upper()}__")]


def _in_files(section: str, known: Collection[str], pipeline_name: str | None) -> Iterator[tuple[str, str]]:
    for provider in dlt.config.config_providers:
        if isinstance(provider, SettingsTomlProvider):
            for pipeline in {"", pipeline_name or ""}:
                found, _ = provider.get_value(section, Mapping, pipeline, "sources")
                for name, value in found.items() if isinstance(found, Mapping) else ():
                    if name in known or not isinstance(value, Mapping):
                        yield name, f"{provider.name}, [sources.{section}]"


def _in_environment(prefix: str) -> Iterator[tuple[str, str]]:
    for variable in os.environ:
        name = variable.removeprefix(prefix)
        if name != variable and "__" not in name:
            yield name.lower(), f"Environment variable {variable}"
