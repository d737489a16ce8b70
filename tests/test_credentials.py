"""Credentials as dlt finds them: every way of docs/credentials.md as it is printed there, and what is refused."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
import yaml
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import ConfigTomlProvider, CustomLoaderDocProvider, SecretsTomlProvider
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.configuration.specs import PluggableRunContext

from dlt_authsignal import authsignal_source
from dlt_authsignal.destination.redaction import unreadable
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing, Unauthorized
from dlt_authsignal.sandbox import RunningSandbox
from tests.ceremonies import Visitor
from tests.helpers import SECRET, command, python, rows, sync_from, sync_into
from tests.tiers import deep_after, deep_except
from tests.vaults import aws, openbao

PAGE = (Path(__file__).parents[1] / "docs" / "credentials.md").read_text("utf-8")
ONE_CALL = ("sync", "--tables", "tenant_authenticators", "--json")
KEY = "SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY"


def blocks(language: str, having: str = "") -> list[str]:
    return [block for block in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if having in block]


def filled(block: str, value: str = SECRET) -> str:
    return block.replace("…", value)


def settings(running: RunningSandbox) -> None:
    """`.dlt/config.toml` of somebody whose Authsignal is a sandbox."""
    Path(".dlt").mkdir(exist_ok=True)
    Path(".dlt/config.toml").write_text(
        f'[sources.authsignal_source]\nbase_url = "{running.url}"\nrate = "max"\nattempts = 2\nbackoff = 0.01\n',
        encoding="utf-8",
    )


def secrets(text: str) -> None:
    Path(".dlt").mkdir(exist_ok=True)
    Path(".dlt/secrets.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def reloaded() -> Iterator[Any]:
    """Makes dlt read its settings anew, as a new process does."""
    reload = Container()[PluggableRunContext].reload
    yield lambda: reload(".")
    os.environ.pop(KEY, None)  # dlt keeps there what it has read from a file
    Path(".dlt/config.toml").unlink(missing_ok=True)
    Path(".dlt/secrets.toml").unlink(missing_ok=True)
    reload(".")


def one_call(**arguments: Any) -> int:
    """A sync of one table, with whatever credentials dlt finds; rows read."""
    return sync_into(tables=["tenant_authenticators"], **arguments).tables["tenant_authenticators"].read


def exported(block: str) -> dict[str, str]:
    return dict(re.findall(r'export (\w+)="(.*)"', filled(block)))


def test_the_credentials_page_contains_every_tested_way() -> None:
    assert [len(blocks("toml", "api_secret_key")), len(blocks("sh", "export")), len(blocks("yaml"))] == [3, 3, 2]


@pytest.mark.parametrize("place", deep_after(1, range(3)), ids=["section", "pipeline", "root"])
def test_a_key_in_secrets_toml_works_for_the_source_and_the_command(
    empty: RunningSandbox, reloaded: Any, place: int
) -> None:
    settings(empty)
    secrets(filled(blocks("toml", "api_secret_key")[place]))
    reloaded()
    assert one_call() == 11
    assert command(*ONE_CALL).returncode == 0


@pytest.mark.parametrize("place", deep_after(1, range(3)), ids=["section", "pipeline", "root"])
def test_a_key_in_the_environment_works_for_the_source_and_the_command(
    empty: RunningSandbox, reloaded: Any, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    settings(empty)
    for name, value in exported(blocks("sh", "export")[place]).items():
        monkeypatch.setenv(name, value)
    reloaded()
    assert one_call() == 11
    assert command(*ONE_CALL).returncode == 0


@pytest.mark.deep
@pytest.mark.parametrize("place", ["secrets.toml", "environment"])
def test_token_and_tenant_id_are_found_in_the_same_places_as_the_key(
    empty: RunningSandbox, reloaded: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    visitor = Visitor(empty).track()
    visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    settings(empty)
    if place == "environment":
        monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__TOKEN", visitor.token)
        monkeypatch.setenv("TENANT_ID", empty.sandbox.config.tenant_id)
    else:
        tenant_id = empty.sandbox.config.tenant_id
        secrets(f'tenant_id = "{tenant_id}"\n[sources.authsignal_source]\ntoken = "{visitor.token}"\n')
    reloaded()
    assert set(authsignal_source().selected_resources) == {"user_authenticators", "table_reads", "dataset_tenant"}
    sync_into(tables=["user_authenticators", "passkey_initiate_challenge"], privacy="keep")
    assert rows("select tenant_id, phone_number from user_authenticators") == [
        (empty.sandbox.config.tenant_id, "+64211234567")
    ]
    assert rows("select authenticated_with, status from passkey_initiate_challenge") == [("tenant", 200)]


def from_files(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on a machine whose `/run/secrets` is that folder."""
    code = (
        "import dlt.common.configuration.providers.environ as e, sys;"
        f"e.SECRET_STORAGE_PATH = {str(folder)!r} + '/%s'; from dlt_authsignal.cli.main import main; main()"
    )
    return python("-c", code, *arguments)


@pytest.mark.deep
@pytest.mark.parametrize("manager", ["compose", "kubernetes"])
def test_a_key_in_a_mounted_secret_file_with_a_trailing_newline_works(
    empty: RunningSandbox, workdir: Path, manager: str
) -> None:
    settings(empty)
    if manager == "compose":
        (name,) = yaml.safe_load(blocks("yaml", "services:")[0])["services"]["sync"]["secrets"]
        path = f"/run/secrets/{name}"
    else:
        pod = yaml.safe_load(blocks("yaml", "volumeMounts")[0])
        mounted = pod["containers"][0]["volumeMounts"][0]["mountPath"]
        path = f"{mounted}/{pod['volumes'][0]['secret']['items'][0]['path']}"
    file = workdir / path.lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    done = from_files(workdir / "run" / "secrets", *ONE_CALL)
    assert done.returncode == 0, done.stderr
    assert from_files(workdir / "nowhere", *ONE_CALL).returncode == 2


@pytest.mark.deep
def test_the_script_of_the_credentials_page_reads_a_vault_for_the_command(empty: RunningSandbox, workdir: Path) -> None:
    settings(empty)
    (script,) = blocks("python", "register_provider")
    (workdir / "vault_sync.py").write_text(script, encoding="utf-8")
    put, run = [line.split("  #")[0] for line in blocks("sh", "vault_sync.py")[0].strip().splitlines()]
    bin_folder = str(Path(sys.executable).parent)
    with openbao("root-of-vault") as url:
        env = {"VAULT_ADDR": url, "VAULT_TOKEN": "root-of-vault", "BAO_ADDR": url, "BAO_TOKEN": "root-of-vault"}
        env = {**os.environ, **env, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
        for line in (filled(put), f"{run} {' '.join(ONE_CALL[1:])}"):
            done = subprocess.run(line, shell=True, env=env, capture_output=True, text=True, timeout=50, check=False)
            assert done.returncode == 0, done.stderr
    assert rows("select count(*) from tenant_authenticators") == [(11,)]


@pytest.mark.deep
def test_the_command_reads_aws_secrets_manager_when_configured(empty: RunningSandbox) -> None:
    import boto3

    settings(empty)
    with Path(".dlt/config.toml").open("a", encoding="utf-8") as config:
        config.write(blocks("toml", "[providers]")[0])
    with aws() as endpoint:
        account = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        account["AWS_DEFAULT_REGION"] = "us-east-1"
        client = boto3.client(
            "secretsmanager",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        kept = filled(blocks("toml", "api_secret_key")[0])
        client.create_secret(Name="dlt/sources/authsignal_source", SecretString=kept)
        done = command(*ONE_CALL, env=account)
    assert done.returncode == 0, done.stderr


WINNERS = {
    "an argument over the environment": ({KEY: "lost"}, "", {"api_secret_key": SECRET}),
    "the environment over secrets.toml": ({KEY: SECRET}, '[sources.authsignal_source]\napi_secret_key = "lost"', {}),
    "a bare variable over a section of secrets.toml": (
        {"API_SECRET_KEY": SECRET},
        '[sources.authsignal_source]\napi_secret_key = "lost"',
        {},
    ),
    "the pipeline's own over the environment": (
        {KEY: "lost"},
        f'[authsignal_pipeline.sources.authsignal_source]\napi_secret_key = "{SECRET}"',
        {},
    ),
    "the longer section": (
        {},
        f'api_secret_key = "lost"\n[sources]\napi_secret_key = "lost"\n'
        f'[sources.authsignal_source]\napi_secret_key = "{SECRET}"',
        {},
    ),
}


@pytest.mark.deep
@pytest.mark.parametrize(
    "case", deep_except(["the pipeline's own over the environment", "the longer section"], WINNERS)
)
def test_of_two_keys_the_documented_one_wins(
    empty: RunningSandbox, reloaded: Any, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    env, text, arguments = WINNERS[case]
    settings(empty)
    secrets(text)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    reloaded()
    assert one_call(**arguments) == 11


@pytest.mark.deep
def test_one_secrets_toml_can_contain_keys_of_two_tenants_by_pipeline_name(
    empty: RunningSandbox, reloaded: Any
) -> None:
    settings(empty)
    secrets(
        f'[acme.sources.authsignal_source]\napi_secret_key = "{SECRET}"\n'
        '[globex.sources.authsignal_source]\napi_secret_key = "no-key-of-this-tenant"\n'
    )
    reloaded()
    assert one_call(pipeline_name="acme") == 11
    with pytest.raises(Unauthorized):
        one_call(pipeline_name="globex")


@pytest.mark.deep
def test_a_vault_is_read_last(empty: RunningSandbox, reloaded: Any) -> None:
    settings(empty)
    secrets(f'api_secret_key = "{SECRET}"')
    reloaded()
    kept = {"sources": {"authsignal_source": {"api_secret_key": "lost"}}}
    dlt.secrets.register_provider(CustomLoaderDocProvider("Vault", lambda: kept))
    assert one_call() == 11


def test_an_empty_variable_overrides_secrets_toml_and_is_reported(
    empty: RunningSandbox, reloaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(empty)
    secrets(f'api_secret_key = "{SECRET}"')
    monkeypatch.setenv(KEY, "")
    reloaded()
    with pytest.raises(CredentialsMissing, match="api_secret_key: empty, or still"):
        one_call()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("CANARY KEY", "white space"),
        ("Bearer CANARY", "Bearer"),
        ("CANARY\nKEY", "white space"),
        ("CANARY\N{EN DASH}KEY", "character"),
        ("\N{ZERO WIDTH SPACE}CANARY", "character"),
        ("CANARY\x07", "character"),
        ('"CANARY"', "quotes"),
        ("['CANARY']", "quotes or brackets"),
        (["CANARY"], "of type list"),
        (12345, "of type int"),
        (b"CANARY", "of type bytes"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["api_secret_key", "token", "tenant_id"])
def test_a_credential_that_is_not_a_valid_header_value_is_refused_with_its_name(
    name: str, value: Any, fault: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} .*{fault}") as raised:
        authsignal_source(**{name: value})
    assert "CANARY" not in str(raised.value)
    assert "12345" not in str(raised.value)


@pytest.mark.deep
@pytest.mark.parametrize("around", deep_after(1, ["\t{}\r\n", "{}\n", "  {}", "\N{NO-BREAK SPACE}{}"]))
def test_white_space_around_a_key_is_removed(empty: RunningSandbox, around: str) -> None:
    assert sync_from(empty, api_secret_key=around.format(SECRET)).tables["tenant_authenticators"].read == 11


@pytest.mark.parametrize("value", ["", "  \n", "<configure me>", "your_server_secret_here"])
def test_a_blank_or_placeholder_key_is_reported_as_empty(value: str) -> None:
    with pytest.raises(CredentialsMissing, match="api_secret_key: empty, or still") as raised:
        authsignal_source(api_secret_key=value)
    assert raised.value.blank == ("api_secret_key",)


FOUND = {
    "a list": ('["CANARY"]', ConfigurationError, "quotes or brackets"),
    "a table": ('{a = "CANARY"}', ConfigurationError, "quotes or brackets"),
    "an empty text": ('""', CredentialsMissing, "empty, or still"),
    "a number": ("12345", Unauthorized, "Check .*api_secret_key"),
}


@pytest.mark.parametrize("case", FOUND)
def test_other_types_of_a_key_in_secrets_toml_are_reported_and_not_shown(
    empty: RunningSandbox, reloaded: Any, case: str
) -> None:
    value, error, message = FOUND[case]
    settings(empty)
    secrets(f"[sources.authsignal_source]\napi_secret_key = {value}\n")
    reloaded()
    with pytest.raises(error, match=message) as raised:
        one_call()
    assert not re.search("CANARY|12345", str(raised.value))


BROKEN = {
    "no quotes": (b"\napi_secret_key = CANARY", "is not valid TOML: see line 2"),
    "no end": (b'\napi_secret_key = "CANARY\n', "is not valid TOML: see line 2"),
    "a value alone": (b"\nCANARY", "is not valid TOML: see line 2"),
    "a section twice": (b"[CANARY]\na = 1\n[CANARY]\n", "is not valid TOML: see line 3"),
    "a name twice": (b"[a]\nCANARY = 1\nCANARY = 2", "defined twice"),
    "Latin-1": (b'a = "\xe4 CANARY"', "is not UTF-8"),
    "UTF-16": ("CANARY".encode("utf-16"), "is UTF-16 text"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("provider", [SecretsTomlProvider, ConfigTomlProvider])
def test_invalid_toml_is_named_with_its_line_and_not_shown(provider: Any, case: str) -> None:
    content, message = BROKEN[case]
    Path(".dlt").mkdir()
    name = "secrets.toml" if provider is SecretsTomlProvider else "config.toml"
    Path(".dlt", name).write_bytes(content)
    with pytest.raises(TomlProviderReadException) as raised:
        provider(".dlt", "elsewhere")
    said = unreadable(raised.value)
    assert said.startswith(f".dlt/{name} ")
    assert message in said
    assert "CANARY" not in said


def test_an_invalid_secrets_toml_ends_the_command_with_one_line() -> None:
    secrets("[sources.authsignal_source]\napi_secret_key = CANARY\n")
    done = command(*ONE_CALL)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: \S*\.dlt/secrets\.toml is not valid TOML: see line 2\. [^\n]+\n", done.stderr)
    assert "CANARY" not in done.stderr


@pytest.mark.parametrize("name", ["api_secret_key", "token", "username", "challenge_id"])
def test_a_secret_in_config_toml_is_refused(empty: RunningSandbox, reloaded: Any, name: str) -> None:
    settings(empty)
    with Path(".dlt/config.toml").open("a", encoding="utf-8") as config:
        config.write(f'{name} = "CANARY"\n')
    secrets("" if name == "api_secret_key" else f'api_secret_key = "{SECRET}"')
    reloaded()
    with pytest.raises(ConfigurationError, match=rf"config\.toml.*sources\.authsignal_source\.{name}") as raised:
        one_call()
    assert "CANARY" not in str(raised.value)


@pytest.mark.deep
def test_a_world_readable_key_file_is_read_without_a_warning(empty: RunningSandbox) -> None:
    settings(empty)
    secrets(f'api_secret_key = "{SECRET}"')
    Path(".dlt/secrets.toml").chmod(0o644)
    done = command(*ONE_CALL)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "call",
    deep_after(
        1, ["authsignal_source()", 'authsignal_source(api_secret_key="a b")', "authsignal_source.with_args(name='x')()"]
    ),
)
def test_a_script_without_usable_settings_ends_with_a_short_traceback(workdir: Path, call: str) -> None:
    (workdir / "script.py").write_text(
        "import dlt\nfrom dlt_authsignal import authsignal_source\n"
        f'dlt.pipeline("p", destination="duckdb").run({call})\n'
    )
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, timeout=50, check=False)
    said = done.stderr[done.stderr.index("Traceback") :].splitlines()
    assert done.returncode == 1
    assert len(said) <= 7, done.stderr
    assert re.match(r"dlt_authsignal.errors.\w+: (No Authsignal credentials|api_secret_key is not valid)", said[-1])
