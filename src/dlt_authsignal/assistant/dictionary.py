"""The schema in words: one page a table, from the registry and its questions, and the index `llms.txt`."""

from pathlib import PurePosixPath
from typing import Final

from dlt_authsignal.assistant.masking import is_masked
from dlt_authsignal.assistant.questions import questions
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models import all_models, find_model
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.history_tables import TABLES_AND_HISTORIES as _ALL
from dlt_authsignal.schema.tables import PROVENANCE

ABOUT: Final = (
    "Everything Authsignal (passkeys, MFA) knows about a company's users, in tables. `dlt-authsignal sync` fills them;"
    " by default in `authsignal_pipeline.duckdb`, schema `authsignal_data`. All times are UTC."
)
PAGES_FOLDER: Final = "src/dlt_authsignal/assistant/toolkit/workbench/authsignal/skills/authsignal-explore/tables"
RULES: Final = (
    "One row of `user_actions` is one attempt of an action that reached Authsignal. It tells of the last 30 days only;"
    " what was synced earlier stays.",
    "`verified_at` is null while an enrolment is unfinished: leave those rows out when you count who has a method.",
    "What Authsignal no longer shows stays, with `deleted_at`: `deleted_at is null` is what is there now.",
    "Method and state are open lists: never assume that you know all values; group by them.",
    "Columns that are JSON hold lists or objects: `column::json::varchar[]`, `json_array_length(column::json)`.",
    "A value of another type than its column stands in a column beside it, such as `risk__v_text`.",
)


def table_page(name: str) -> str:
    """Meaning, key, columns, and three questions with their SQL. For a KPI its definition."""
    if name not in _ALL:
        known = [*_ALL, *(model.view for model in all_models())]
        if name not in known:
            raise ConfigurationError(f'There is no table or KPI "{name}". Known: {", ".join(known)}.')
        model = find_model(name)
        return f"# {model.view}\n\n{model.title}: {model.question}\n\n{model.definition}\n\n```sql\n{model.sql}\n```\n"
    table = _ALL[name]
    lines = [f"# {name}", table.meaning, _facts(table)]
    lines.append("\n".join(_column(name, column) for column in (*table.columns, *PROVENANCE)))
    lines += [f"## {question.text}\n\n```sql\n{question.sql}\n```" for question in questions(name)]
    return "\n\n".join(lines) + "\n"


def _facts(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    opt_in = " Only there if it was named: `dlt-authsignal sync --tables …`." if table.opt_in else ""
    return f"Key: {key}. API: {', '.join(table.apis)}. From {table.source}.{opt_in}"


def _column(table: str, column: Column) -> str:
    masked = " *Masked for assistants.*" if is_masked(table, column.name) else ""
    return f"- `{column.name}` ({column.type}): {column.meaning}{masked}"


def index() -> str:
    """`docs/llms.txt`: what there is, and where to read on."""
    parts = [
        "# dlt-authsignal",
        f"> {ABOUT}",
        "## Know before you query",
        "\n".join(f"- {rule}" for rule in RULES),
        "## Tables",
        "\n".join(f"- [{name}](../{PAGES_FOLDER}/{name}.md): {table.meaning}" for name, table in _ALL.items()),
        "## KPIs, as views after `dlt-authsignal models install`",
        "\n".join(f"- `{model.view}`: {model.question}" for model in all_models()),
        "## Pages",
        "\n".join(f"- [{path.name}]({path}): {meaning}" for path, meaning in PAGES),
    ]
    return "\n\n".join(parts) + "\n"


PAGES: Final = (
    (PurePosixPath("../README.md"), "what it is, and how to begin"),
    (PurePosixPath("command.md"), "every command and option"),
    (PurePosixPath("how-it-works.md"), "what a sync asks, promises, and does when something fails"),
    (PurePosixPath("settings.md"), "every setting, its default and its option"),
    (PurePosixPath("python-api.md"), "every public function and class, with its signature"),
    (PurePosixPath("kpis.md"), "every KPI, its definition and SQL"),
    (PurePosixPath("credentials.md"), "where keys can come from"),
    (PurePosixPath("destinations.md"), "each database it loads into, and how well that is tested"),
    (PurePosixPath("scheduling.md"), "running it regularly, and noticing when it does not work"),
    (PurePosixPath("look-at-the-data.md"), "dashboard, notebooks, SQL"),
    (PurePosixPath("probe.md"), "synthetic monitoring of passkeys"),
    (PurePosixPath("sandbox.md"), "the local Authsignal, for tests"),
    (PurePosixPath("assistants.md"), "skills and a read-only MCP server for coding assistants"),
)
