"""Check the values of thresholds, whether they come from a file, the environment or Python."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.models.detections.catalogue import Rule, Threshold, Value, all_rules

ENABLED: Final = "enabled"
"""Setting that each rule has besides its thresholds: false switches the rule off."""

Thresholds = Mapping[str, Mapping[str, Value]]
"""Values of all thresholds, by rule. Rules that are switched off are missing."""

_TEXT: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_LONGEST: Final = 1000
_PAGE: Final = f"All settings: {DOCS}/detections.md"


def defaults() -> Thresholds:
    """Return the default values of all rules."""
    return {rule.name: {name: each.default for name, each in rule.thresholds.items()} for rule in all_rules()}


def checked(given: Mapping[str, Any]) -> Thresholds:
    """Return the values of all thresholds: the given ones, and the defaults.

    Args:
        given: Settings by rule.

    Raises:
        ConfigurationError: A rule or a setting is unknown, or a value is wrong. The message names it.
    """
    rules = {rule.name: rule for rule in all_rules()}
    for name, settings in given.items():
        if name not in rules:
            raise ConfigurationError(f'[detections]: there is no rule "{name}".{_nearest(name, rules)} {_PAGE}')
        if not isinstance(settings, Mapping):
            raise ConfigurationError(f"[detections.{name}] must be a table of settings. Nothing was computed.")
        for setting in settings:
            if setting not in rules[name].thresholds and setting != ENABLED:
                known = {**rules[name].thresholds, ENABLED: None}
                raise ConfigurationError(
                    f'[detections.{name}]: there is no setting "{setting}".{_nearest(setting, known)} {_PAGE}'
                )
    return {
        rule.name: _values(rule, given.get(rule.name, {}))
        for rule in rules.values()
        if _flag(rule.name, ENABLED, given.get(rule.name, {}).get(ENABLED, True))
    }


def _values(rule: Rule, given: Mapping[str, Any]) -> dict[str, Value]:
    return {
        name: _value(rule.name, each, given[name]) if name in given else each.default
        for name, each in rule.thresholds.items()
    }


def _value(rule: str, threshold: Threshold, value: Any) -> Value:
    if isinstance(threshold.default, bool):
        return _flag(rule, threshold.name, value)
    if isinstance(threshold.default, int):
        return _number(rule, threshold, value)
    if isinstance(threshold.default, str):
        return _text(rule, threshold.name, value) if value != "" else ""
    return _list(rule, threshold.name, value)


def _number(rule: str, threshold: Threshold, value: Any) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and threshold.least <= value <= threshold.most:
        return int(value)
    got = f"got {value:,}" if is_whole else f"not {_kind(value)}"
    raise ConfigurationError(
        f"[detections.{rule}] {threshold.name} must be a whole number from {threshold.least:,} to"
        f" {threshold.most:,} ({threshold.unit}), {got}. Nothing was computed."
    )


def _flag(rule: str, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"[detections.{rule}] {name} must be true or false, not {_kind(value)}. Nothing was computed."
        )
    return value


def _text(rule: str, name: str, value: Any) -> str:
    if isinstance(value, str) and _TEXT.fullmatch(value):
        return value
    raise ConfigurationError(
        f"[detections.{rule}] {name} must be text of up to 64 letters, digits and _ . : -, without blanks. Nothing was"
        " computed."
    )


def _list(rule: str, name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or len(value) > _LONGEST:
        raise ConfigurationError(
            f'[detections.{rule}] {name} must be a list of up to {_LONGEST:,} texts, such as ["a", "b"]. Nothing was'
            " computed."
        )
    return tuple(_text(rule, name, each) for each in value)


def _kind(value: Any) -> str:
    return {"str": "text", "bool": "true or false", "float": "a number with a fraction", "list": "a list"}.get(
        type(value).__name__, type(value).__name__
    )


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    found = get_close_matches(name, known, n=1, cutoff=0.5)
    return f' Did you mean "{found[0]}"?' if found else f" Known: {', '.join(known)}."
