"""Values of options and settings: each is checked before anything is read or written."""

from collections.abc import Iterator
from dataclasses import asdict
from math import inf, nan
from pathlib import Path
from typing import Any

import click
import pytest

from dlt_authsignal.cli.main import cli
from dlt_authsignal.cli.values import NotBlank
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.config.request_limits import ceiling
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.config.values import RANGES, check_values
from dlt_authsignal.source.incremental.delete_guard import limit
from tests.helpers import at, command, sync_from
from tests.tiers import deep_after, deep_except

BLANK = ["", " ", "\t", "\u00a0"]


def every_command(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from every_command(found, *path, name)
        else:
            yield (*path, name), found


def text_options() -> list[tuple[str, ...]]:
    return [
        (*path, option.opts[-1])
        for path, found in every_command(cli)
        for option in found.params
        if isinstance(option, click.Option) and not option.is_flag and isinstance(option.type, NotBlank)
    ]


# Options of the command


def test_the_options_with_text_are_known() -> None:
    found = {" ".join(path) for path in text_options()}
    assert {"sync --refresh-user", "sync --users-from", "sync --dataset", "status --pipeline-name"} <= found
    assert len(found) > 40


@pytest.mark.parametrize("value", ["", " "])
def test_a_blank_value_is_refused_for_every_option_with_text(value: str) -> None:
    assert [path for path in text_options() if "is empty" not in refusal(path, value)] == []


def refusal(path: tuple[str, ...], value: str) -> str:
    """What the command says about this value of an option; nothing if it accepts it."""
    *names, option = path
    found: Any = cli
    for name in names:
        found = found.commands[name]
    try:
        found.make_context(names[-1], [option, value, *(["u1"] if names == ["erase"] else [])])
    except click.UsageError as refused:
        return refused.message
    return ""


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e300"])
@pytest.mark.parametrize("path", [("status", "--max-age"), ("probe", "--timeout")])
def test_a_number_that_is_not_finite_or_not_in_range_is_refused(path: tuple[str, str], value: str) -> None:
    with pytest.raises(click.UsageError):
        cli.commands[path[0]].make_context(path[0], list(path[1:]) + [value])


@pytest.mark.parametrize(
    "arguments",
    deep_after(
        2,
        [
            ["--refresh-user", ""],
            ["--dataset", " "],
            ["--users-from", ""],
            ["--apis", ","],
            ["--tables", " , "],
            ["--max-duration", "999999999.9d"],
            ["--pipeline-name", "a.b"],
            ["--pipeline-name", "x" * 300],
        ],
    ),
)
def test_a_value_that_cannot_be_used_is_refused_before_anything_is_read_or_written(
    empty: RunningSandbox, workdir: Path, arguments: list[str]
) -> None:
    done = command("sync", *arguments, env=at(empty))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert empty.sandbox.log.by_route == {}
    assert not list(workdir.rglob("*.duckdb"))


# Names


@pytest.mark.deep
@pytest.mark.parametrize("name", deep_except(["acme-prod"], ["acme-prod", "acme prod", "-x", "ünïcode", "1st"]))
def test_a_pipeline_name_that_plain_dlt_accepts_is_accepted(empty: RunningSandbox, workdir: Path, name: str) -> None:
    assert sync_from(empty, pipeline_name=name).tables["users"].total == 0
    assert (workdir / f"{name}.duckdb").exists()
    for arguments in (["sync"], ["status"]):
        done = command(*arguments, "--pipeline-name", name, env=at(empty))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*BLANK, "a.b", "..", "a/b", "a\\b", "a\nb", " a", "a ", "x" * 300, "ü" * 150, "a\0b"])
def test_a_pipeline_name_that_cannot_name_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)pipeline name.*Nothing was changed"):
        pipeline_name_or(name)


@pytest.mark.parametrize("name", [*BLANK, "a\nb", " a", "x" * 300])
def test_a_dataset_name_that_cannot_be_used_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)dataset name.*Nothing was changed"):
        dataset_name_or(name)


@pytest.mark.parametrize("setting", ["PIPELINE_NAME", "DATASET_NAME"])
def test_a_blank_name_in_the_environment_is_refused(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(f"SOURCES__AUTHSIGNAL_SOURCE__{setting}", " ")
    with pytest.raises(ConfigurationError, match=r"name .* is empty"):
        sync_from(empty)
    assert empty.sandbox.log.by_route == {}


# Settings


def settings(**given: Any) -> SourceSettings:
    return SourceSettings(api_secret_key="k", **given)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", [nan, inf, -inf, -1, 10**15, "5", True, [1]])
def test_a_number_out_of_range_or_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be"):
        settings(**{name: value})


def test_the_defaults_of_all_settings_are_accepted() -> None:
    check_values({name: None if value == "k" else value for name, value in asdict(settings()).items()})


@pytest.mark.parametrize("name", ["apis", "exclude_users", "refresh_users", "privacy_allow", "users_from"])
@pytest.mark.parametrize("value", [[""], ["u1", " "], [1], [None], {"a": 1}, 5])
def test_a_list_with_a_blank_or_a_value_that_is_not_text_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings(**{name: value})


@pytest.mark.parametrize("name", ["exclude_users", "refresh_users", "apis", "privacy_allow"])
def test_a_text_in_place_of_a_list_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a list"):
        settings(**{name: "server"})


@pytest.mark.parametrize(
    "name", ["users_column", "max_duration", "max_staleness", "privacy", "shared_budget", "action"]
)
@pytest.mark.parametrize("value", BLANK)
def test_a_blank_text_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is empty"):
        settings(**{name: value})


@pytest.mark.parametrize("name", ["apis", "users_from"])
def test_an_empty_list_does_not_mean_all(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is an empty list"):
        settings(**{name: []})


@pytest.mark.parametrize(
    ("name", "value", "form"),
    deep_after(
        1,
        [
            ("CONCURRENCY", "abc", "a whole number"),
            ("TIMEOUT", "soon", "a number"),
            ("FULL", "maybe", "true or false"),
            ("REFRESH_USERS", "bob", "a list"),
        ],
    ),
)
def test_a_setting_of_another_form_is_reported_with_the_form_that_it_needs(
    empty: RunningSandbox, name: str, value: str, form: str
) -> None:
    done = command("sync", env=at(empty, **{name: value}))
    assert done.returncode == 2
    assert f"The setting {name.lower()} must be {form}" in done.stderr
    assert "<class" not in done.stderr


@pytest.mark.parametrize("text", ["", "-1h", "nan", "1e3s", "999999999.9d", "1w", "h", "1 h h"])
def test_a_text_that_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="max_duration must be"):
        duration("max_duration", text)


@pytest.mark.parametrize("text", ["0", "0s", "0.0h"])
def test_a_sync_without_any_time_is_refused(empty: RunningSandbox, text: str) -> None:
    with pytest.raises(ConfigurationError, match="Leave it out to read all users"):
        sync_from(empty, max_duration=text)


@pytest.mark.parametrize("rate", ["nan", "inf", "-5", "0", "", "1e309", "1e-300", 10**9, None, True and "x"])
def test_a_rate_that_is_not_a_possible_number_is_refused(rate: Any) -> None:
    with pytest.raises(ConfigurationError, match="rate must be"):
        ceiling(rate)


@pytest.mark.parametrize("share", ["500%", "101 %", "-5%", "nan%", "", "x", "-1"])
def test_an_impossible_share_of_deletes_is_refused(share: str) -> None:
    with pytest.raises(ConfigurationError, match="max_deletes"):
        limit(share, accepted=False)
