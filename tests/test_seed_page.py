"""What dltHub's page for Authsignal promises: secrets.toml, the script, pandas and SQL."""

import shutil
from pathlib import Path

import dlt
import pytest
from authsignal.client import AuthsignalClient

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import SECRET, python, rows

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(empty: RunningSandbox, workdir: Path) -> Path:
    """A user's folder: the script, and a secrets.toml as the page shows it."""
    client = AuthsignalClient(SECRET, empty.url)
    client.enroll_verified_authenticator("u1", {"verificationMethod": "SMS", "phoneNumber": "+64211234567"})
    client.enroll_verified_authenticator("u2", {"verificationMethod": "EMAIL_OTP", "email": "u2@example.com"})
    token = client.track("u1", "signIn", {"redirectUrl": "http://localhost"})["token"]
    shutil.copy(ROOT / "authsignal_pipeline.py", workdir)
    shutil.copytree(ROOT / ".dlt", workdir / ".dlt", ignore=shutil.ignore_patterns("secrets.toml"))
    (workdir / ".dlt" / "secrets.toml").write_text(
        f'[sources.authsignal_source]\ntoken = "{token}"\ntenant_id = "tenant-of-mine"\nbase_url = "{empty.url}"\n'
        'privacy = "keep"\n'
    )
    return workdir


def test_the_script_loads_the_tokens_own_authenticators_and_they_can_be_queried(project: Path) -> None:
    done = python("authsignal_pipeline.py")
    assert done.returncode == 0, done.stderr
    assert "The data is in authsignal_pipeline.duckdb, dataset authsignal_data." in done.stdout

    frame = dlt.pipeline("authsignal_pipeline", destination="duckdb").dataset(schema="authsignal_source")
    assert frame.user_authenticators.df()["phone_number"].tolist() == ["+64211234567"]
    assert rows("select user_id, verification_method, _api from authsignal_data.user_authenticators limit 10") == [
        ("u1", "SMS", "client")
    ]


def test_the_line_of_the_page_reads_the_data(project: Path) -> None:
    code = (
        'import dlt; data = dlt.pipeline("authsignal_pipeline").dataset();'
        "print(data.user_authenticators.df().phone_number.head())"
    )
    for line in (["authsignal_pipeline.py"], ["-c", code]):
        done = python(*line)
        assert done.returncode == 0, done.stderr
    assert "+64211234567" in done.stdout


def test_no_file_contains_a_secret(project: Path) -> None:
    python("authsignal_pipeline.py").check_returncode()
    token = (project / ".dlt" / "secrets.toml").read_text().split('"')[1]
    found = [
        p for p in project.rglob("*") if p.is_file() and p.name != "secrets.toml" and token.encode() in p.read_bytes()
    ]
    assert found == []
