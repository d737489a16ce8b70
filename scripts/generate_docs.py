"""Write the pages that are generated from the code. `--check` only compares."""

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

import click
from package_map import table as parts_table
from pictures import DRAWN

import dlt_authsignal
from dlt_authsignal.assistant.dictionary import PAGES_FOLDER, VIEWS, index, table_page
from dlt_authsignal.assistant.masking import SHOWN_TABLES
from dlt_authsignal.cli.main import cli
from dlt_authsignal.destination.registry import DESTINATIONS
from dlt_authsignal.models import Model, all_models
from dlt_authsignal.models.detections.catalogue import Rule, all_rules
from dlt_authsignal.models.kpis.forms import COLUMNS, SHAPE
from dlt_authsignal.models.kpis.sources import BASES, EVERYTHING, made
from dlt_authsignal.models.questions import all_questions
from dlt_authsignal.sandbox.core.config import SEEDED_NOW
from dlt_authsignal.sandbox.core.story_settings import Stories
from dlt_authsignal.sandbox.fixtures.form.schema import fixture_schema
from dlt_authsignal.sandbox.tenant.stories.found import days_of
from dlt_authsignal.sandbox.tenant.stories.plan import plan_of
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.run_counters import COUNTERS
from dlt_authsignal.schema.tables.bookkeeping import OWN_TABLES
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES
from dlt_authsignal.schema.tables.histories import HISTORIES, VALID_FROM, VALID_TO
from dlt_authsignal.schema.tables.server import PROVENANCE, TABLES
from dlt_authsignal.source.config.source_settings import DEFAULTS
from dlt_authsignal.source.source import authsignal_source

ROOT = Path(__file__).parents[1]


def tables_page() -> str:
    parts = [
        "# Tables",
        "By the end of this page, you know every table and column, and which columns identify a person. `make docs`"
        " generates"
        " the page from `src/dlt_authsignal/schema/`.",
        "Fields that Authsignal adds later become columns automatically, each by its own spelling: `riskScore` becomes"
        " `risk_score`, any other spelling of that name a column with a mark, such as `risk_score__x945cddf1`. A value"
        " of an unexpected type is stored in a separate column (`risk__v_text`). Lists and free-form objects are JSON"
        " columns.",
        "Sensitivity: a *direct* identifier identifies a person. A *quasi*-identifier may identify a person together"
        " with others. *Free-form* values may contain anything. [Privacy](privacy.md) describes how each kind is"
        " protected by default.",
        *map(_table, (*TABLES.values(), *EVENT_TABLES.values())),
        *map(_history, HISTORIES.values()),
        *map(_own_table, (*OWN_TABLES, EVENT_FILES)),
        "## Columns that every table has",
        _columns(PROVENANCE),
    ]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    facts = f"{_key(table)} API: {', '.join(table.apis)}. Read from {table.source}."
    opt_in = " Read only when selected with `--tables`." if table.opt_in else ""
    return f"## {table.name}\n\n{table.meaning}{opt_in}\n\n{facts}\n\n{_columns(table.columns)}"


def _history(history: Table) -> str:
    present = history.name.removesuffix("_history")
    facts = f"{_key(history)} The columns of `{present}` without `deleted_at`, and:"
    return f"## {history.name}\n\n{history.meaning}\n\n{facts}\n\n{_columns((VALID_FROM, VALID_TO))}"


def _own_table(table: Table) -> str:
    return f"## {table.name}\n\n{table.meaning}\n\n{_key(table)}\n\n{_columns(table.columns)}"


def _key(table: Table) -> str:
    return f"Key: {', '.join(f'`{name}`' for name in table.key)}."


def _columns(columns: tuple[Column, ...]) -> str:
    rows = ["| column | type | meaning | sensitivity |", "| --- | --- | --- | --- |"]
    for column in columns:
        sensitivity = _sensitivity(column)
        rows.append(f"| `{column.name}` | {column.type} | {column.meaning} | {sensitivity} |")
    return "\n".join(rows)


def _sensitivity(column: Column) -> str:
    if column.kind in ("plain", column.sensitivity):
        return "" if column.kind == "plain" else column.kind
    return f"{column.sensitivity}: {column.kind.replace('_', ' ')}"


def questions_page() -> str:
    """Six questions about the demo, each with its query for the days of the demo's stories."""
    plan = plan_of(Stories(), seed=7, users=500, days=45, now=SEEDED_NOW)
    if not (plan.rollout and plan.release and plan.attack):
        raise ValueError("A story of the demo has no days.")
    rollout, release, attack = map(days_of, (plan.rollout, plan.release, plan.attack))
    of = {"rollout": rollout, "release": release}
    parts = [
        "# Six questions",
        "By the end of this page, you can answer six questions that people ask first, with one query each. `make docs`"
        " generates"
        " the page from `src/dlt_authsignal/models/questions/`.",
        "The queries are in DuckDB's SQL, and run unchanged on the data of `make demo`: `duckdb"
        " authsignal_demo.duckdb`, then `use authsignal_data;`. The dates are those of the demo's"
        " [stories](sandbox.md#stories). For your own data, install the KPI views (`dlt-authsignal models install`) and"
        " change the dates. A test compares the answers with what the sandbox knows to be true.",
    ]
    for each in all_questions():
        days = of.get(each.name, attack)
        sql = each.about(days.first, days.last)
        parts.append(f"## {each.text}\n\n{each.note}\n\n```sql\n{sql}\n```")
    return "\n\n".join(parts) + "\n"


def kpis_page() -> str:
    parts = [
        "# KPIs",
        "By the end of this page, you know what each KPI counts, and its SQL. `make docs` generates the page from"
        " `src/dlt_authsignal/models/kpis/`.",
        "`dlt-authsignal models install` creates a view `kpi_<name>` for each KPI that your dataset has the tables for."
        " `dlt-authsignal models list` says which are available, and what the others need. No KPI is computed from"
        " tables that tell less than its definition requires.",
        "Delta and Iceberg tables cannot have views: there the command prints the values. The KPIs are tested on"
        " DuckDB, PostgreSQL, Delta and Iceberg; see [Destinations](destinations.md) for other databases.",
        "## The columns of every view",
        SHAPE,
        _shape(),
        "Two limits. Authsignal records an attempt only when it reaches the server, so success rates do not include"
        " attempts that failed earlier. The API returns the last 30 days, so the rates cover only the data that you"
        " have loaded.",
        "Large tenants: `dlt-authsignal models install --materialize` creates tables, which are read faster. Run it"
        " after each sync. `dlt-authsignal models export dbt` writes a dbt package with the same SQL, definitions and"
        " tests; its variable `authsignal_schema` is the dataset. dbt-core with dbt-duckdb builds it in the tests.",
        "## Tables that you may supply",
        "Create them in the dataset. Without its table, or a column of the right type, a KPI is not available.",
        SUPPLIED,
        "## All KPIs",
        _kpi_table(),
        "KPI 21, attack signals, is not a number: [Detections](detections.md) has its rules.",
    ]
    parts += [_model(model) for model in all_models()]
    parts += ["## Base queries", BASES_TEXT, *(_base(name) for name in sorted(BASES))]
    return "\n\n".join(parts) + "\n"


SUPPLIED = """| table | columns | used by |
| --- | --- | --- |
| `sign_in_actions` | `action_code` (text) | passkey_usage_rate and passkey_usage_among_able; optional |
| `otp_prices` | `channel` (SMS, WHATSAPP, EMAIL_OTP), `country_code` (null: others), `price` (number) | `otp_*` |
| `support_tickets` | `opened_at` (time), one row per ticket about signing in | support_tickets |"""
BASES_TEXT = (
    "The SQL above reads these queries as if they were tables: a view contains those that it needs. Parts in braces"
    " depend on what is loaded. `utc_day`, `week_of`, `month_of` and `json_text` stand for expressions of the database."
)


def _shape() -> str:
    lines = ["| column | example |", "| --- | --- |"]
    examples = {
        "kpi": "drop_off_rate",
        "measure": "abandoned",
        "period_grain": "week",
        "period_start": "2026-10-26",
        "dimension": "action_code",
        "dimension_value": "signIn",
        "numerator": "81",
        "denominator": "402",
        "value": "0.201",
        "low": "0.165",
        "high": "0.243",
        "unit": "ratio",
        "is_complete": "true",
    }
    return "\n".join(lines + [f"| `{name}` | {examples[name]} |" for name in COLUMNS])


def _kpi_table() -> str:
    lines = ["| # | KPI | question | sources |", "| --- | --- | --- | --- |"]
    for model in all_models():
        link = f"[{model.name}](#{model.name})"
        lines.append(f"| {model.number} | {link} | {model.question} | {', '.join(model.sources)} |")
    return "\n".join(lines)


def _model(model: Model) -> str:
    facts = "\n".join(f"- **{part}:** {text}" for part, text in model.facts.items())
    head = f"## {model.name}\n\n{model.number}. {model.title}: {model.question}"
    return f"{head}\n\n{facts}\n\n```sql\n{model.sql}\n```"


def _base(name: str) -> str:
    text = made(name, EVERYTHING)
    if text is None:
        text = files("dlt_authsignal.models.kpis").joinpath("bases", f"{name}.sql").read_text(encoding="utf-8")
    return f"### {name}\n\n```sql\n{text.strip()}\n```"


def command_page() -> str:
    parts = [
        "# The command",
        "By the end of this page, you know every command and its options. `make docs` generates the page"
        " from the help texts.",
    ]
    parts += [_help(["dlt-authsignal"], cli)]
    for name, command in cli.commands.items():
        parts.append(_help(["dlt-authsignal", name], command))
        if isinstance(command, click.Group):
            parts += [_help(["dlt-authsignal", name, inner], value) for inner, value in command.commands.items()]
    return "\n\n".join(parts) + "\n"


def _help(path: list[str], command: click.Command) -> str:
    context = click.Context(
        command, info_name=" ".join(path), max_content_width=100, terminal_width=100, help_option_names=["-h", "--help"]
    )
    return f"## {' '.join(path)}\n\n```text\n{command.get_help(context)}\n```"


def contributing_page() -> str:
    """The page, with the parts of the package between their marks written again."""
    return _between((ROOT / "CONTRIBUTING.md").read_text("utf-8"), "parts", parts_table())


def destinations_page() -> str:
    """Return the page with new text between its markers; the rest is unchanged."""
    page = (ROOT / "docs" / "destinations.md").read_text("utf-8")
    page = _between(page, "destinations", _destinations())
    for name, destination in DESTINATIONS.items():
        page = _between(page, f"credentials {name}", f"```toml\n{destination.credentials}\n```")
    return page


def _destinations() -> str:
    rows = ["| destination | `--destination` | extra | files loaded | merge | tested |", "| --- " * 6 + "|"]
    for name, facts in DESTINATIONS.items():
        extra = f"`[{facts.extra}]`" if facts.extra else ""
        files = f"{facts.file_format or 'dlt decides'}: {facts.format_reason}"
        tested = f"{facts.evidence}{': ' if facts.tested_on else ''}{facts.tested_on}"
        rows.append(f"| {facts.title} | `{name}` | {extra} | {files} | {facts.merge_means} | {tested} |")
    return "\n".join(rows)


def _between(page: str, mark: str, text: str) -> str:
    block = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def settings_page() -> str:
    """The page, with the table between its marks written again from the source's docstring, defaults and options."""
    return _between((ROOT / "docs" / "settings.md").read_text("utf-8"), "settings", _settings())


def _settings() -> str:
    options = {each.name: each.opts[0] for each in cli.commands["sync"].params}
    rows = ["| setting | default | option | meaning |", "| --- | --- | --- | --- |"]
    for name, meaning in meanings(authsignal_source).items():
        default = DEFAULTS.get(name)
        shown = "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        option = f"`{options[name]}`" if name in options else ""
        rows.append(f"| `{name}` | {shown} | {option} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def meanings(function: Callable[..., object]) -> dict[str, str]:
    """What the docstring of a function says of each argument, by name."""
    listed = (inspect.getdoc(function) or "").split("Args:\n")[1].split("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def python_page() -> str:
    """The page, with signatures, fields and errors between their marks written again."""
    page = (ROOT / "docs" / "python-api.md").read_text("utf-8")
    for name in (
        "sync",
        "read_shard",
        "load_shards",
        "authsignal_source",
        "known_reads",
        "update_history",
        "detect",
        "send_alerts",
    ):
        page = _between(page, f"signature {name}", f"```text\n{_signature(name)}\n```")
    for name in ("SyncReport", "TableReport", "ShardReport", "DetectionReport", "AlertReport", "RunMetrics"):
        page = _between(page, f"fields {name}", _fields(getattr(dlt_authsignal, name)))
    return _between(page, "errors", _errors())


def _signature(name: str) -> str:
    signature = inspect.signature(getattr(dlt_authsignal, name))
    shown = [each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in _named(signature)]
    if by_name := next((place for place, each in enumerate(_named(signature)) if each.kind is each.KEYWORD_ONLY), None):
        shown.insert(by_name, "*")
    if any(each.kind is each.VAR_KEYWORD and each.name != "unknown" for each in signature.parameters.values()):
        shown.append("**settings")
    line = f"{name}({', '.join(shown)})"
    return line if len(line) <= 100 else f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + ")"


def _named(signature: inspect.Signature) -> list[inspect.Parameter]:
    return [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]


def _fields(of: type) -> str:
    said = (of.__doc__ or "").split("Attributes:\n")[1]
    meanings = {name: " ".join(text.split()) for name, text in re.findall(_ENTRY, f"{said}\n", re.MULTILINE)} | COUNTERS
    rows = ["| field | type | meaning |", "| --- | --- | --- |"]
    for each in dataclasses.fields(of):
        kind = each.type if isinstance(each.type, str) else getattr(each.type, "__name__", str(each.type))
        rows.append(f"| `{each.name}` | {kind.replace('|', 'or')} | {meanings[each.name]} |")
    return "\n".join(rows)


_ENTRY: Final = r"^ {8}(\w+): (.*(?:\n {9,}.*)*)"


def _errors() -> str:
    rows = ["| error | exit code | meaning |", "| --- | --- | --- |"]
    for name in dlt_authsignal.__all__:
        found = getattr(dlt_authsignal, name)
        if isinstance(found, type) and issubclass(found, dlt_authsignal.AuthsignalError):
            said = (inspect.getdoc(found) or "").split("\n\n")[0]
            rows.append(f"| `{name}` | {found.exit_code} | {' '.join(said.split())} |")
    return "\n".join(rows)


def detections_page() -> str:
    """Return the page with its table of rules and their details written again."""
    page = (ROOT / "docs" / "detections.md").read_text("utf-8")
    page = _between(page, "rules", _rules())
    return _between(page, "details", "\n\n".join(map(_rule, all_rules())))


def _rules() -> str:
    rows = ["| rule | fires when | severity | needs |", "| --- | --- | --- | --- |"]
    for rule in all_rules():
        raised = f", {rule.raised_severity} if `{rule.raised_by}` is not 0" if rule.raised_by else ""
        rows.append(
            f"| [{rule.name}](#{rule.name}) | {rule.fires} | {rule.severity}{raised} | {', '.join(rule.tables)} |"
        )
    return "\n".join(rows)


def _rule(rule: Rule) -> str:
    facts = {
        "Not known": rule.assumption,
        "Harmless causes": rule.false_positives,
        "What to do": rule.advice,
        "Published definitions": "; ".join(f"{each.definition} ({each.source})" for each in rule.references) + ".",
        "Evidence": "; ".join(f"`{name}`: {meaning}" for name, meaning in rule.evidence.items()) + ".",
    }
    rows = ["| setting | default | unit | meaning |", "| --- | --- | --- | --- |"]
    for each in rule.thresholds.values():
        default = list(each.default) if isinstance(each.default, tuple) else each.default
        rows.append(f"| `{each.name}` | `{json.dumps(default)}` | {each.unit} | {each.meaning} |")
    listed = "\n".join(f"- **{name}:** {text}" for name, text in facts.items())
    head = f"### {rule.name}\n\n{rule.title}: {rule.question}\n\n{rule.fires}"
    table = "\n".join(rows)
    return f"{head}\n\n{table}\n\n{listed}\n\n```sql\n{rule.sql}\n```"


PAGES: dict[str, Callable[[], str]] = {
    "docs/tables.md": tables_page,
    "docs/kpis.md": kpis_page,
    "docs/questions.md": questions_page,
    "docs/command.md": command_page,
    "docs/llms.txt": index,
    **{
        f"{PAGES_FOLDER}/{name}.md": partial(table_page, name)
        for name in (*SHOWN_TABLES, *(view.name for view in VIEWS))
    },
    "CONTRIBUTING.md": contributing_page,
    "docs/destinations.md": destinations_page,
    "docs/detections.md": detections_page,
    "docs/settings.md": settings_page,
    "docs/python-api.md": python_page,
    "docs/sandbox-fixture.schema.json": lambda: json.dumps(fixture_schema(), indent=1) + "\n",
    **{f"docs/images/{name}": draw for name, draw in DRAWN.items()},
}


def stale() -> list[str]:
    """Return the pages that differ from the code."""
    return [
        name for name, page in PAGES.items() if not (ROOT / name).exists() or (ROOT / name).read_text("utf-8") != page()
    ]


def main() -> None:
    if "--check" in sys.argv:
        sys.exit(f"Stale: {', '.join(stale())}. Run: make docs" if stale() else 0)
    for name, page in PAGES.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
