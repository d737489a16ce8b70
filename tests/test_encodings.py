"""Files that Windows programs write: with a byte-order mark, CRLF line ends, or in UTF-16."""

from pathlib import Path

import pytest

from dlt_authsignal.assistant.install import plan
from dlt_authsignal.cli import project
from dlt_authsignal.errors import ConfigurationError, UserIdsUnreadable
from dlt_authsignal.project.text_files import read_text
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.source.user_ids.files import from_file
from tests.helpers import SECRET, command, python, rows
from tests.tiers import deep_after

NOTEPAD = "utf-8-sig"
UTF_16 = ["utf-16", "utf-16-le", "utf-16-be"]
ONE_TABLE = ("sync", "--tables", "tenant_authenticators", "--json")


def settings(running: RunningSandbox, encoding: str) -> None:
    """Both files of settings, with Windows line ends and in that encoding."""
    section = "[sources.authsignal_source]\r\n"
    Path(".dlt").mkdir(exist_ok=True)
    for name, text in {
        "secrets": f'{section}api_secret_key = "{SECRET}"\r\n',
        "config": f'{section}base_url = "{running.url}"\r\nrate = "max"\r\n',
    }.items():
        Path(f".dlt/{name}.toml").write_bytes(text.encode(encoding))


@pytest.mark.deep
def test_settings_with_a_byte_order_mark_are_read_by_the_commands(empty: RunningSandbox, workdir: Path) -> None:
    settings(empty, NOTEPAD)
    done = command(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert rows("select count(*) from tenant_authenticators") == [(11,)]
    assert "✓ api_secret_key" in command("doctor").stdout


@pytest.mark.parametrize("load", deep_after(1, ["print(sync(pipeline))", "pipeline.run(authsignal_source())"]))
def test_settings_with_a_byte_order_mark_are_read_by_a_script(empty: RunningSandbox, workdir: Path, load: str) -> None:
    settings(empty, NOTEPAD)
    script = workdir / "script.py"
    script.write_text(
        "import dlt\nfrom dlt_authsignal import authsignal_source, sync\n"
        'pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")\n'
        f"{load}\n"
    )
    done = python("script.py")
    assert done.returncode == 0, done.stderr
    assert rows("select count(*) from tenant_authenticators") == [(11,)]


@pytest.mark.parametrize("encoding", UTF_16)
def test_utf_16_settings_are_refused_with_the_next_step(empty: RunningSandbox, workdir: Path, encoding: str) -> None:
    settings(empty, encoding)
    done = command(*ONE_TABLE)
    assert done.returncode == 2
    assert "secrets.toml is UTF-16 text" in done.stderr
    assert "Save it as UTF-8" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize("encoding", UTF_16)
def test_init_refuses_utf_16_settings_and_leaves_them_unchanged(
    empty: RunningSandbox, workdir: Path, encoding: str
) -> None:
    settings(empty, encoding)
    before = Path(".dlt/secrets.toml").read_bytes()
    done = command("init", "--base-url", empty.url, "--api-secret-key", SECRET)
    assert done.returncode == 2
    assert "secrets.toml is UTF-16 text" in done.stderr
    assert Path(".dlt/secrets.toml").read_bytes() == before


def test_init_merges_into_windows_files_and_keeps_their_line_endings(empty: RunningSandbox, workdir: Path) -> None:
    settings(empty, NOTEPAD)
    Path(".gitignore").write_bytes("*.duckdb\r\nmine\r\n".encode(NOTEPAD))
    Path(".dlt/secrets.toml").write_bytes("# mine\r\n[a]\r\nb = 1\r\n".encode(NOTEPAD))
    done = command("init", "--base-url", empty.url, "--api-secret-key", SECRET)
    assert done.returncode == 0, done.stderr
    for path in (Path(".gitignore"), Path(".dlt/secrets.toml"), Path(".dlt/config.toml")):
        raw = path.read_bytes()
        assert raw.count(b"\n") == raw.count(b"\r\n"), path
        assert not raw.startswith(b"\xef\xbb\xbf"), path
    assert read_text(Path(".gitignore")).splitlines().count("*.duckdb") == 1
    assert project.settings_in(project.SECRETS)["api_secret_key"] == SECRET
    assert command("init", "--base-url", empty.url).stdout.count("Wrote") == 0
    assert command(*ONE_TABLE).returncode == 0


def test_a_script_with_windows_line_endings_counts_as_unchanged(empty: RunningSandbox, workdir: Path) -> None:
    project.SCRIPT.write_bytes(project.script().replace("\n", "\r\n").encode())
    assert "Did not change" not in command("init", "--base-url", empty.url, "--api-secret-key", SECRET).stdout
    project.SCRIPT.write_bytes("print('mine')".encode("utf-16"))
    assert "Did not change authsignal_pipeline.py" in command("init", "--base-url", empty.url).stdout


def test_a_key_file_with_a_byte_order_mark_works(empty: RunningSandbox, workdir: Path) -> None:
    settings(empty, NOTEPAD)
    key = {"SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": f"\ufeff{SECRET}\r\n"}
    done = command(*ONE_TABLE, env=key)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.txt", "a\r\nb\r\n"),
        ("ids.csv", "user_id,n\r\na,1\r\nb,2\r\n"),
        ("ids.tsv", "user_id\tn\r\na\t1\r\nb\t2\r\n"),
        ("ids.jsonl", '"a"\r\n{"user_id": "b"}\r\n'),
    ],
)
def test_user_ids_are_read_from_windows_files_and_utf_16_is_refused(workdir: Path, name: str, text: str) -> None:
    Path(name).write_bytes(text.encode(NOTEPAD))
    assert [candidate.user_id for candidate in from_file(name)] == ["a", "b"]
    for encoding in UTF_16:
        Path(name).write_bytes(text.encode(encoding))
        with pytest.raises(UserIdsUnreadable, match=rf"{name}.* is UTF-16 text.*Save it as UTF-8"):
            list(from_file(name))


def test_assistants_files_with_a_byte_order_mark_are_merged(workdir: Path) -> None:
    Path(".mcp.json").write_bytes('{"mcpServers": {"other": {}}}\r\n'.encode(NOTEPAD))
    pieces = {piece.path.name: piece for piece in plan("claude", workdir, "dlt-authsignal")}
    assert '"other"' in (pieces[".mcp.json"].text or "")
    Path(".mcp.json").write_bytes("{}".encode("utf-16"))
    with pytest.raises(ConfigurationError, match=r"\.mcp\.json is UTF-16 text"):
        plan("claude", workdir, "dlt-authsignal")


def test_an_invalid_file_with_a_byte_order_mark_is_refused_like_any_other(workdir: Path) -> None:
    Path(".dlt").mkdir()
    Path(".dlt/secrets.toml").write_bytes("\n[a\n".encode(NOTEPAD))
    done = command("status")
    assert done.returncode == 2
    assert "secrets.toml is not valid TOML: see line 2" in done.stderr
