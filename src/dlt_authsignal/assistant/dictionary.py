"""The schema as pages for assistants: one page per table, and the index `llms.txt`."""

from collections.abc import Mapping
from inspect import getdoc
from pathlib import PurePosixPath
from typing import Final

from dlt_authsignal.assistant.masking import SHOWN_TABLES as _ALL
from dlt_authsignal.assistant.masking import is_masked
from dlt_authsignal.assistant.questions import questions
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models import Model, all_models, find_model
from dlt_authsignal.models.configuration.views import VIEWS as CONFIGURATION_VIEWS
from dlt_authsignal.models.configuration.views import View as ConfigurationView
from dlt_authsignal.models.events.views import VIEWS as EVENT_VIEWS
from dlt_authsignal.models.events.views import View as EventView
from dlt_authsignal.models.kpis.forms import SHAPE
from dlt_authsignal.models.kpis.queries import explained
from dlt_authsignal.models.ocsf.views import VIEW as OCSF_VIEW
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.tables.server import PROVENANCE

ABOUT: Final = (
    "The users of an Authsignal tenant (passkeys, MFA) in tables. `dlt-authsignal sync` fills them, by default in"
    " `authsignal_pipeline.duckdb`, schema `authsignal_data`. All times are UTC."
)
PAGES_FOLDER: Final = "src/dlt_authsignal/assistant/toolkit/workbench/authsignal/skills/authsignal-explore/tables"
VIEWS: Final = (*CONFIGURATION_VIEWS, *EVENT_VIEWS, OCSF_VIEW)
RULES: Final = (
    "One row of `user_actions` is one attempt of an action that reached Authsignal. Authsignal returns only the last 30"
    " days; rows that were synced earlier stay.",
    "`action_log`, `challenge_log` and `authenticator_events` contain events that Authsignal reported by webhook. An"
    " attempt may have several rows in `action_log`. `all_user_actions` has one row per attempt, from both sources.",
    "`verified_at` is null while an enrolment is unfinished: exclude those rows when you count users with a method.",
    "Deleted rows stay in the tables with a `deleted_at`. Filter with `deleted_at is null` for existing rows.",
    "Verification methods and states are open lists: do not assume that you know all values; group by them.",
    "JSON columns contain lists or objects. Use `column::json::varchar[]` or `json_array_length(column::json)`.",
    "A value whose type differs from its column is stored in a second column, such as `risk__v_text`.",
)


def table_page(name: str) -> str:
    """Return the page of a table or view (meaning, columns, questions with SQL) or of a KPI (definition, SQL)."""
    if view := next((view for view in VIEWS if view.name == name), None):
        return _view_page(view)
    if name not in _ALL:
        known = [*_ALL, *(model.view for model in all_models()), *(view.name for view in VIEWS)]
        if name not in known:
            raise ConfigurationError(f'There is no table or KPI "{name}". Known: {", ".join(known)}.')
        return kpi_page(find_model(name))
    table = _ALL[name]
    lines = [f"# {name}", table.meaning, _facts(table)]
    lines.append("\n".join(_column(name, column) for column in (*table.columns, *PROVENANCE)))
    return "\n\n".join([*lines, *_questions(name)]) + "\n"


def kpi_page(model: Model) -> str:
    """Return the page of a KPI: its definition, how to read its view, and its SQL."""
    facts = "\n".join(f"- {part}: {text}" for part, text in model.facts.items())
    parts = [f"# {model.view}", f"{model.number}. {model.title}: {model.question}", facts, SHAPE]
    return "\n\n".join([*parts, f"```sql\n{explained(model)}\n```"]) + "\n"


def _questions(name: str) -> list[str]:
    return [f"## {question.text}\n\n```sql\n{question.sql}\n```" for question in questions(name)]


def _view_page(view: ConfigurationView | EventView) -> str:
    facts = "A view: `dlt-authsignal models install` creates it. In the MCP server it exists without that command."
    lines = [f"# {view.name}", view.meaning, facts, "\n".join(_view_columns(view))]
    return "\n\n".join([*lines, *_questions(view.name)]) + "\n"


def _view_columns(view: ConfigurationView | EventView) -> list[str]:
    if isinstance(view, EventView):
        return [_line(column, is_masked=column.sensitivity != "plain") for column in view.columns]
    _, _, attributes = (getdoc(view.row) or "").partition("Attributes:")
    columns = (line.strip().partition(": ") for line in attributes.strip().split("\n"))
    return [f"- `{name}`: {meaning}" for name, _, meaning in columns]


def _facts(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    opt_in = " Exists only if selected: `dlt-authsignal sync --tables …`." if table.opt_in else ""
    apis = f" API: {', '.join(table.apis)}." if table.apis else ""
    return f"Key: {key}.{apis} From {table.source}.{opt_in}"


def _column(table: str, column: Column) -> str:
    return _line(column, is_masked=is_masked(table, column.name))


def _line(column: Column, *, is_masked: bool) -> str:
    masked = " *Masked for assistants.*" if is_masked else ""
    return f"- `{column.name}` ({column.type}): {column.meaning}{masked}"


def index() -> str:
    """Return `docs/llms.txt`: the tables, KPIs and documentation pages."""
    parts = [
        "# dlt-authsignal",
        f"> {ABOUT}",
        "## Before you query",
        "\n".join(f"- {rule}" for rule in RULES),
        "## Tables",
        _linked({name: table.meaning for name, table in _ALL.items()}),
        "## KPIs, as views after `dlt-authsignal models install`",
        "\n".join(f"- `{model.view}`: {model.question}" for model in all_models()),
        "## Views of configuration changes, events and OCSF, after `dlt-authsignal models install`",
        _linked({view.name: view.meaning for view in VIEWS}),
        "## Pages",
        "\n".join(f"- [{path.name}]({path}): {meaning}" for path, meaning in PAGES),
    ]
    return "\n\n".join(parts) + "\n"


def _linked(meanings: Mapping[str, str]) -> str:
    return "\n".join(f"- [{name}](../{PAGES_FOLDER}/{name}.md): {meaning}" for name, meaning in meanings.items())


PAGES: Final = (
    (PurePosixPath("../README.md"), "what it does and how to start"),
    (PurePosixPath("command.md"), "all commands and options"),
    (PurePosixPath("how-it-works.md"), "the steps of a sync, and the page that explains each"),
    (PurePosixPath("settings.md"), "all settings, with defaults and options"),
    (PurePosixPath("python-api.md"), "all public functions and classes, with signatures"),
    (PurePosixPath("configuration.md"), "rules and settings, and what a change did"),
    (PurePosixPath("receive.md"), "the receiver of events, in operation"),
    (PurePosixPath("events.md"), "events in tables: load, replay, import, retention"),
    (PurePosixPath("events-setup.md"), "the webhook set up step by step, and events compared with the API"),
    (PurePosixPath("kpis.md"), "all KPIs with definition and SQL"),
    (PurePosixPath("detections.md"), "rules that look for attacks, their thresholds, and alerts"),
    (PurePosixPath("credentials.md"), "where to store keys"),
    (PurePosixPath("destinations.md"), "supported databases and how well each is tested"),
    (PurePosixPath("scheduling.md"), "running syncs on a schedule, with alerts"),
    (PurePosixPath("look-at-the-data.md"), "dashboard, notebooks, SQL"),
    (PurePosixPath("probe.md"), "synthetic monitoring of passkeys"),
    (PurePosixPath("sandbox.md"), "the local Authsignal, for tests"),
    (PurePosixPath("sandbox-fixtures.md"), "a tenant of the sandbox in a file, and state that lasts"),
    (PurePosixPath("troubleshooting.md"), "what to do about a message or an unexpected result"),
    (PurePosixPath("errors.md"), "exit codes and exceptions"),
    (PurePosixPath("glossary.md"), "the terms that these pages use"),
    (PurePosixPath("assistants.md"), "skills and a read-only MCP server for coding assistants"),
)
