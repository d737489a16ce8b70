"""What `dlt-authsignal doctor` checks: settings, address, keys, privacy, destination, and the work of a sync."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from dlt_authsignal.errors import AuthsignalError, ConfigurationError, ListingRefused, RunFailed

if TYPE_CHECKING:
    from dlt_authsignal.source.config.source_settings import SourceSettings
    from dlt_authsignal.source.privacy.policy import Privacy

NO_KEYS: Final = "Run dlt-authsignal init, which asks for them. To try it without an account: dlt-authsignal demo"
SETTINGS: Final = (
    "Correct it under [sources.authsignal_source] in .dlt/config.toml or .dlt/secrets.toml, or in the environment."
)
_CREDENTIALS: Final = ("api_secret_key", "management_secret_key", "tenant_id", "token")


@dataclass(frozen=True, kw_only=True)
class Check:
    """Result of one check.

    Attributes:
        name: What was checked: a setting, or the destination.
        level: `ok`, `note` for what is worth knowing, or `problem`.
        message: The result, in one sentence.
        fix: What to do; empty if there is nothing to do.
        exit_code: What the command exits with if it is a problem: 1 for a failure, 2 for configuration.
    """

    name: str
    level: Literal["ok", "note", "problem"]
    message: str
    fix: str = ""
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.level != "problem", "message": self.message, "fix": self.fix}


@dataclass(kw_only=True)
class Diagnosis:
    """All checks, made one after the other by `run`.

    Attributes:
        destination: dlt destination name.
        pipeline_name: The pipeline that will sync; None for the project's.
        dataset: The dataset that it will load into; None for the project's.
        address: Address of Authsignal that was tried; None if the settings give none.
        checks: Results so far.
        needs_ids: Whether a sync needs user ids from somewhere else than the user list.
    """

    destination: str
    pipeline_name: str | None = None
    dataset: str | None = None
    address: str | None = None
    checks: list[Check] = field(default_factory=list)
    needs_ids: bool = False

    def run(self) -> Iterator[Check]:
        """Yield each result when it is known."""
        for check in self._all():
            self.checks.append(check)
            yield check

    @property
    def problems(self) -> list[Check]:
        return [check for check in self.checks if check.level == "problem"]

    def to_dict(self) -> dict[str, Any]:
        return {
            "ok": not self.problems,
            "address": self.address,
            "destination": self.destination,
            "pipeline": self.pipeline_name,
            "dataset": self.dataset,
            "checks": [check.to_dict() for check in self.checks],
        }

    def raise_problems(self) -> None:
        """Raise one error with all problems: of the configuration, if any of them is."""
        if not self.problems:
            return
        text = "\n".join(f"{check.name}: {check.message} {check.fix}".rstrip() for check in self.problems)
        kind = ConfigurationError if any(check.exit_code == 2 for check in self.problems) else RunFailed
        raise kind(text)

    def _all(self) -> Iterator[Check]:
        try:
            settings = self._settings()
        except AuthsignalError as error:
            yield _problem("settings", error, SETTINGS)
            return
        yield Check(name="address", level="note", message=_address(settings))
        yield from self._keys(settings)
        yield from _privacy(settings)
        yield from self._destination()
        yield from self._files()
        if settings.api_secret_key and not self.problems:
            yield from self._tenant(settings)
        if settings.api_secret_key and not self.problems:
            yield self._due(settings)

    def _settings(self) -> "SourceSettings":
        from dlt_authsignal.destination.errors import translate_errors
        from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
        from dlt_authsignal.source.config.resolve import resolved_settings

        with translate_errors(self.destination):
            self.pipeline_name = pipeline_name_or(self.pipeline_name)
            self.dataset = dataset_name_or(self.dataset)
            settings = resolved_settings(self.pipeline_name)
        self.address = str(settings.base)
        return settings

    def _keys(self, settings: "SourceSettings") -> Iterator[Check]:
        from dlt_authsignal.pipeline.monitor.key_check import check

        for name in settings.blank:
            message = "It is empty, or still the example value."
            yield Check(name=name, level="problem", message=message, fix=f"Set {name}, or remove it.", exit_code=2)
        if not any(getattr(settings, name) for name in _CREDENTIALS):
            if not settings.blank:
                yield Check(name="keys", level="problem", message="No keys found.", fix=NO_KEYS, exit_code=2)
            return
        try:
            found = check(settings)
        except AuthsignalError as error:
            yield _problem("address", error)
            return
        for finding in found:
            note = " ".join(finding.notes)
            if finding.works:
                message = f"{', '.join(finding.tables)}. {note}"
                yield Check(name=finding.setting, level="ok", message=message, fix=finding.fix)
            else:
                message = f"It does not work at {settings.base.host}. {note}"
                fix = _region(settings, finding.setting) or finding.fix
                yield Check(name=finding.setting, level="problem", message=message, fix=fix, exit_code=2)
        self.needs_ids = not (settings.users_from or all(finding.lists_users for finding in found))

    def _destination(self) -> Iterator[Check]:
        from dlt_authsignal.pipeline.monitor.destination_check import try_out

        try:
            for done in try_out(self.destination, self.pipeline_name or ""):
                yield Check(name=self.destination, level="ok", message=done)
        except AuthsignalError as error:
            place = f"Check [destination.{self.destination}] in .dlt/secrets.toml and .dlt/config.toml."
            yield _problem(self.destination, error, place)

    def _files(self) -> Iterator[Check]:
        """Yield a note on files that other accounts can read. What prevents the look is reported by other checks."""
        from dlt_authsignal.destination.errors import translate_errors
        from dlt_authsignal.pipeline.monitor.exposed_files import closing_command, exposed_files

        with suppress(AuthsignalError), translate_errors(self.destination):
            if found := exposed_files(self.destination, self.pipeline_name or ""):
                message = f"Other accounts of this machine can read {', '.join(map(str, found))}."
                yield Check(name="files", level="note", message=message, fix=f"Run: {closing_command(found)}")

    def _tenant(self, settings: "SourceSettings") -> Iterator[Check]:
        from dlt_authsignal.destination.errors import translate_errors
        from dlt_authsignal.errors import NoData
        from dlt_authsignal.pipeline.attach import attach
        from dlt_authsignal.pipeline.prepared import opened_once
        from dlt_authsignal.source.build import evidence_of
        from dlt_authsignal.source.tenant.check import check_tenant, is_known_key

        try:
            with translate_errors(self.destination):
                found = attach(destination=self.destination, dataset=self.dataset, pipeline_name=self.pipeline_name)
                with opened_once(found):
                    check_tenant(found, evidence_of(settings))
                    is_known = is_known_key(found, evidence_of(settings))
                if is_known:
                    yield Check(name="tenant", level="ok", message=f"dataset {self.dataset} was loaded with this key")
        except NoData:
            return
        except AuthsignalError as error:
            yield _problem("tenant", error)

    def _due(self, settings: "SourceSettings") -> Check:
        from dlt_authsignal.cli.output.sync.estimate import estimate
        from dlt_authsignal.pipeline.monitor.forecast import forecast

        try:
            found = forecast(self.destination, self.pipeline_name, self.dataset)
        except ListingRefused as refused:
            message, fix = _split(str(refused))
            return Check(name="sync", level="note", message=message, fix=fix)
        except AuthsignalError as error:
            return _problem("sync", error)
        return Check(name="sync", level="ok", message=estimate(*found))


def _address(settings: "SourceSettings") -> str:
    origin = "base_url" if settings.base_url else f"region {settings.region or 'us, the default'}"
    return f"{settings.base} ({origin})"


def _region(settings: "SourceSettings", name: str) -> str:
    """Return the fix for a Server API secret key of another region; empty if no other region accepts it."""
    from dlt_authsignal.pipeline.monitor.key_check import region_of

    if name != "api_secret_key" or settings.base_url or not settings.api_secret_key:
        return ""
    home = region_of(settings.api_secret_key)
    return f'This key is of region {home}: set region = "{home}" in .dlt/config.toml.' if home else ""


def _privacy(settings: "SourceSettings") -> Iterator[Check]:
    from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_from

    try:
        found = privacy_from(settings)
    except AuthsignalError as error:
        yield _problem("privacy", error, SETTINGS)
        return
    if found.leaves_out:
        message, fix = _split(LEFT_OUT)
        yield Check(name="privacy", level="note", message=message, fix=fix)
    elif found.mode == "keep":
        yield Check(name="privacy", level="note", message="identifiers are loaded in plain text (keep)")
    else:
        yield Check(name="privacy", level="ok", message="identifiers are hashed with privacy_key (pseudonymize)")
    yield from _privacy_details(found)


def _privacy_details(found: "Privacy") -> Iterator[Check]:
    """Yield a note for each further privacy setting that is set."""
    if found.tenant is not None:
        message = "hashes differ from those of other tenants with the same privacy_key"
        yield Check(name="privacy_per_tenant", level="note", message=message)
    if found.phone_region is not None:
        message = f"phone numbers without a country code are numbers of {found.phone_region}"
        yield Check(name="phone_region", level="note", message=message)
    if found.allow:
        message = f"loaded in plain text: {', '.join(sorted(found.allow))}"
        yield Check(name="privacy_allow", level="note", message=message)
    if found.columns:
        listed = ", ".join(f"{name}: {chosen}" for name, chosen in found.columns.items())
        yield Check(name="privacy_columns", level="note", message=listed)


def _problem(name: str, error: AuthsignalError, fix: str = "") -> Check:
    message, said = _split(str(error))
    return Check(name=name, level="problem", message=message, fix=said or fix, exit_code=error.exit_code)


def _split(text: str) -> tuple[str, str]:
    """Return the first sentence of a message, and the rest, which says what to do."""
    first, point, rest = text.partition(". ")
    return (f"{first}.", rest) if point else (text, "")
