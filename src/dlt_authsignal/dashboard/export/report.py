"""Write the report of a dataset."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from dlt_authsignal.dashboard.export import browser
from dlt_authsignal.dashboard.page import Choices, Document, Filters
from dlt_authsignal.errors import ConfigurationError, ExtraMissing
from dlt_authsignal.project.private_files import replace_text

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

Format = Literal["html", "png", "pdf"]
FORMATS: Final[tuple[Format, ...]] = ("html", "png", "pdf")
_BEGINNINGS: Final[Mapping[Format, bytes]] = {"html": b"<!doctype html>", "png": b"\x89PNG", "pdf": b"%PDF"}
_MOST_NAMED: Final = 10
_EVERYTHING: Final = Filters()


def write_report(
    pipeline: "Pipeline",
    path: str | Path,
    *,
    format: Format | None = None,
    filters: Filters = _EVERYTHING,
    page: str = "overview",
) -> Path:
    """Write the figures of a dataset to one file that needs no network and contains no user, and return its path.

    The file is written completely or not at all. An earlier report is replaced; other files and folders are not.

    Args:
        pipeline: Pipeline that loaded the dataset.
        path: File to write.
        format: html (all pages), png (a picture of one page) or pdf (all pages). png and pdf need an installed
            Chromium, Chrome or Edge. Default: by the ending of the file's name, otherwise html.
        filters: Days, action, method and country to limit the figures to.
        page: Key of the page that is open at first, or that the picture shows.

    Raises:
        ConfigurationError: The file cannot be written, no browser is installed, a filter or page is unknown, or
            nothing was loaded.
        ExtraMissing: The extra `dashboard` is not installed.
        RunFailed: The browser failed.
    """
    from dlt_authsignal.dashboard.content import open_figures

    if find_spec("jinja2") is None:
        raise ExtraMissing("The report", "dashboard")
    path = Path(path)
    chosen = format or format_of(path)
    check_target(path, chosen)
    if chosen != "html":
        browser.find()
    check_data(pipeline)
    figures = open_figures(pipeline)
    check_filters(filters, figures.choices)
    document = figures.document(filters)
    _check_page(page, document)
    return write(document, path, format=chosen, page=page)


def check_data(pipeline: "Pipeline") -> None:
    """Refuse a dataset without tables: a report of it would look like one of a tenant without users.

    Raises:
        ConfigurationError: It has none.
    """
    from dlt_authsignal.models.tables import existing

    if not existing(pipeline):
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" of pipeline "{pipeline.pipeline_name}" has no synced data. Nothing was'
            " written. Check --destination, --dataset and --pipeline-name, or run: dlt-authsignal sync"
        )


def write(document: Document, path: Path, *, format: Format, page: str) -> Path:
    """Write a document to a file, and return its path."""
    from dlt_authsignal.dashboard.render import html

    text = html(document, page=page, self_contained=True)
    if format == "png":
        browser.write_picture(text, path)
    elif format == "pdf":
        browser.write_pdf(text, path)
    else:
        try:
            replace_text(path, text)
        except OSError as error:
            raise _unwritable(path, error.strerror or type(error).__name__) from None
    return path


def format_of(path: Path) -> Format:
    """Return the format that the ending of a file's name says; html for other endings."""
    ending = path.suffix.lower().removeprefix(".")
    return next((each for each in FORMATS if each == ending), "html")


def check_target(path: Path, format: Format) -> None:
    """Refuse a folder, a file in a folder that does not exist, and a file that is not an earlier report.

    Raises:
        ConfigurationError: The path is refused.
    """
    try:
        if path.is_dir():
            raise _unwritable(path, "it is a folder. Name a file in it")
        if not path.parent.is_dir():
            raise _unwritable(path, f"the folder {path.parent} does not exist. Create it")
        if path.exists() and not _is_report(path, format):
            raise _unwritable(path, f"the file exists and is not an earlier {format} report. Choose another name")
    except OSError as error:
        raise _unwritable(path, error.strerror or type(error).__name__) from None


def _is_report(path: Path, format: Format) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(_BEGINNINGS[format]))
    return start in (b"", _BEGINNINGS[format])


def _unwritable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"Cannot write the report to {path}: {why}. Nothing was written.")


def check_filters(filters: Filters, choices: Choices) -> None:
    """Refuse values that the data does not have.

    Raises:
        ConfigurationError: A value is refused.
    """
    if filters.since and filters.until and filters.since > filters.until:
        raise ConfigurationError(
            f"The first day, {filters.since}, is after the last day, {filters.until}. Choose an earlier first day."
            " Nothing was written."
        )
    for name, value, known in (
        ("action", filters.action, choices.actions),
        ("method", filters.method, choices.methods),
        ("country", filters.country, choices.countries),
    ):
        if value is not None and value not in known:
            more = ", …" if len(known) > _MOST_NAMED else ""
            listed = ", ".join(known[:_MOST_NAMED]) + more or "none"
            raise ConfigurationError(f'The data has no {name} "{value}". Known: {listed}. Nothing was written.')


def _check_page(page: str, document: Document) -> None:
    known = [key for key, _ in document.titles]
    if page not in known:
        raise ConfigurationError(f'No page "{page}". Pages: {", ".join(known)}. Nothing was written.')
