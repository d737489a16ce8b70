"""The rules: `dictionary.toml` has one entry for each, and `sql/` its SQL."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from dlt_authsignal.errors import ConfigurationError

Severity = Literal["low", "medium", "high", "critical"]
Value = int | bool | str | tuple[str, ...]
"""Value of a threshold."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A setting of a rule.

    Attributes:
        name: Name of the setting.
        default: Value without a setting. Its type is the type of the setting.
        unit: What the value counts.
        meaning: One sentence that describes it.
        least: Lowest number.
        most: Highest number.
    """

    name: str
    default: Value
    unit: str
    meaning: str
    least: int = 0
    most: int = 0


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A published definition of the same signal.

    Attributes:
        definition: When it fires.
        source: Who published it.
    """

    definition: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: Name of the rule, and of its section in the settings.
        title: Title for display.
        question: Question that the rule answers.
        fires: When it fires, with the names of the thresholds.
        severity: low, medium, high or critical.
        tables: Tables that it needs; `A or B` is either of them, `attempts` any table with attempts.
        subjects: What a detection is about, by kind: the column that identifies it.
        thresholds: The settings.
        evidence: What the columns of the evidence mean.
        assumption: What is not known, and what the rule does about it.
        false_positives: What looks the same and is harmless.
        advice: What to do about a detection.
        references: Published definitions to compare with.
        sql: The query, with parts in braces.
        count: For rules about many events within minutes: the threshold for their number, by kind of subject.
        raised_by: Column of the evidence that raises the severity if it is not 0.
        raised_severity: The severity then.
        blind: Query that returns 1 if the tables exist and do not hold what the rule looks at.
        blind_needs: What is missing then.
    """

    name: str
    title: str
    question: str
    fires: str
    severity: Severity
    tables: tuple[str, ...]
    subjects: Mapping[str, str]
    thresholds: Mapping[str, Threshold]
    evidence: Mapping[str, str]
    assumption: str
    false_positives: str
    advice: str
    references: tuple[Definition, ...]
    sql: str
    count: Mapping[str, str] = field(default_factory=dict)
    raised_by: str = ""
    raised_severity: Severity = "high"
    blind: str = ""
    blind_needs: str = ""


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return all rules, in the order of the dictionary."""
    text = files("dlt_authsignal.models.detections").joinpath("dictionary.toml").read_text(encoding="utf-8")
    return tuple(map(_rule, tomllib.loads(text)["rule"]))


def find_rule(name: str) -> Rule:
    """Return a rule by its name.

    Raises:
        ConfigurationError: No such rule; the message lists the existing ones.
    """
    for rule in all_rules():
        if rule.name == name:
            return rule
    raise ConfigurationError(f'There is no rule "{name}". Known: {", ".join(rule.name for rule in all_rules())}.')


def _rule(entry: Mapping[str, Any]) -> Rule:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    values["thresholds"] = {name: _threshold(name, value) for name, value in entry["thresholds"].items()}
    values["references"] = tuple(Definition(**reference) for reference in entry["references"])
    file = files("dlt_authsignal.models.detections").joinpath("sql", f"{entry['name']}.sql")
    return Rule(**values, sql=file.read_text(encoding="utf-8").strip())


def _threshold(name: str, entry: Mapping[str, Any]) -> Threshold:
    default = entry["default"]
    return Threshold(name=name, **{**entry, "default": tuple(default) if isinstance(default, list) else default})
