"""`dlt-authsignal sandbox --record`, `sandbox replay` and `sandbox compare`."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlt_authsignal.errors import ConfigurationError, ExtraMissing

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.recording.recorder import Recorder
    from dlt_authsignal.sandbox.tenants.tenants import Tenants

FILE = click.Path(dir_okay=False, path_type=Path)
MOST_SEEDS = 1_000_000


def record_option(command: Any) -> Any:
    """Add `--record`."""
    return click.option(
        "--record",
        metavar="FILE",
        type=FILE,
        help="Write every request and response to this new file, without keys, tokens and codes. Personal data stays in"
        " it. Without --seed, a seed is chosen, so that `sandbox replay` can invent the same users.",
    )(command)


def repeatable(seed: int | None, now: datetime | None) -> tuple[int, datetime | None]:
    """Return a seed, and the start of the clock: the present, unless a seed or a start was given."""
    if seed is not None:
        return seed, now
    return random.randrange(MOST_SEEDS), now or datetime.now(UTC)


def recording_to(tenants: "Tenants", path: Path) -> "Recorder":
    """Return a recorder that writes to a new file.

    Raises:
        ConfigurationError: The file exists, or cannot be created, or there are several tenants.
    """
    from dlt_authsignal.sandbox.app.serving.serve import recorder_of

    try:
        recorder = recorder_of(tenants, path, lambda failed: click.echo(failed, err=True))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists. It was not changed. Choose another file for --record, or delete this one."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"Cannot create {path}: {error.strerror}. Choose another file for --record.") from None
    click.echo(
        f"Recording to {path}. Keys, tokens, codes and cookies are masked. User ids, e-mail addresses, phone numbers,"
        " names, IP addresses and user agents stay.",
        err=True,
    )
    return recorder


@click.command(short_help="Send the requests of a recording to a fresh sandbox, and show which responses differ.")
@click.argument("file", type=FILE)
@click.option(
    "--fixture", metavar="FILE", type=FILE, help="The fixture with which the recorded sandbox started. Default: none."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def replay(file: Path, fixture: Path | None, as_json: bool) -> None:
    """Send the requests of a recording to a fresh sandbox, and show which responses differ.

    FILE is what `dlt-authsignal sandbox --record FILE` wrote. The fresh sandbox has the same configuration, and its
    clock shows the recorded time at each request. Ids, tokens, codes and times may differ, but must fit together; all
    else must be equal. Nothing is sent to other machines.

    Exits with 1 if a response differs.
    """
    try:
        from dlt_authsignal.recordings.replay import replay as replayed
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The sandbox", "sandbox") from missing
    from dlt_authsignal.cli.output.recordings import print_replay
    from dlt_authsignal.sandbox.fixtures.fixture import Fixture
    from dlt_authsignal.sandbox.recording.entries import read

    outcomes = replayed(read(file), Fixture.read(fixture) if fixture else None)
    print_replay(outcomes, as_json=as_json)
    if any(outcome.differences for outcome in outcomes):
        raise click.exceptions.Exit(1)


@click.command(short_help="Send the GET requests of a recording to a real tenant, and list differences in form.")
@click.argument("file", type=FILE)
@click.option(
    "--against", metavar="URL", required=True, help="Base URL of the tenant's API, or its region: us, au, eu, ca."
)
@click.option(
    "--user",
    "users",
    metavar="ID",
    multiple=True,
    help="Id of a user of the tenant to request. Repeatable. Default: users of its user list.",
)
@click.option(
    "--rate",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0, 20, min_open=True),
    help="Requests per second.",
)
@click.option(
    "--max-requests",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Send at most this many requests.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def compare(file: Path, against: str, users: tuple[str, ...], rate: float, max_requests: int, as_json: bool) -> None:
    """Send the GET requests of a recording to a real tenant, and list differences in form.

    Only documented GET requests of the Server and Management API are sent, with api_secret_key and
    management_secret_key of your project's settings. Ids of the sandbox are replaced by ids that the tenant returned.
    The list contains routes, names of fields, types, statuses and error codes, and no values.

    Exits with 1 if there is a difference.
    """
    try:
        from dlt_authsignal.recordings.compare import compare as compared
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The sandbox", "sandbox") from missing
    from dlt_authsignal.cli.output.recordings import print_comparison
    from dlt_authsignal.sandbox.recording.entries import read

    found = compared(read(file), against, users=users, rate=rate, max_requests=max_requests)
    print_comparison(found, as_json=as_json)
    if found.differences:
        raise click.exceptions.Exit(1)
