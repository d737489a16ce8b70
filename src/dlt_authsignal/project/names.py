"""Return the names of a project's pipeline and dataset, after checking that dlt and the file system can use them."""

import re
from typing import Final

from dlt.common.configuration import with_config

from dlt_authsignal.errors import ConfigurationError

PIPELINE_NAME: Final = "authsignal_pipeline"
DATASET_NAME: Final = "authsignal_data"
LONGEST: Final = 200
"""Bytes of a name; file systems allow 255 for a name with its ending."""

_NOT_IN_A_FOLDER: Final = re.compile(r"""[./\\:*?"<>|%{}\x00-\x1f\x7f]""")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def pipeline_name_or(given: str | None) -> str:
    """Return the given name, else `pipeline_name` of `[sources.authsignal_source]`, else the default.

    Raises:
        ConfigurationError: The name is blank, or cannot be the name of a folder and a file.
    """
    name = _checked("pipeline name (--pipeline-name, pipeline_name)", _configured()[0] if given is None else given)
    if found := _NOT_IN_A_FOLDER.search(name):
        raise ConfigurationError(
            f"The pipeline name {name!r} contains {found[0]!r}. The name is also that of a folder and of a DuckDB"
            " file, which cannot contain it. Nothing was changed. Use letters, digits, - and _."
        )
    return name


def dataset_name_or(given: str | None) -> str:
    """Return the given name, else `dataset_name` of `[sources.authsignal_source]`, else the default.

    Raises:
        ConfigurationError: The name is blank or unusable.
    """
    return _checked("dataset name (--dataset, dataset_name)", _configured()[1] if given is None else given)


def _checked(what: str, name: str) -> str:
    if not isinstance(name, str):
        raise ConfigurationError(f"The {what} must be text, not {type(name).__name__}. Nothing was changed.")
    if not name.strip():
        raise ConfigurationError(f"The {what} is empty. Nothing was changed. Leave it out to use the default.")
    if name != name.strip() or _CONTROL.search(name):
        raise ConfigurationError(
            f"The {what} {name!r} begins or ends with white space, or contains a control character. Nothing was"
            " changed. Remove it."
        )
    if len(name.encode(errors="replace")) > LONGEST:
        raise ConfigurationError(f"The {what} is longer than {LONGEST} bytes. Nothing was changed. Shorten it.")
    return name


@with_config(sections=("sources", "authsignal_source"))
def _configured(pipeline_name: str = PIPELINE_NAME, dataset_name: str = DATASET_NAME) -> tuple[str, str]:
    return pipeline_name, dataset_name
