"""bqemulator as a BigQuery to load into, and a token endpoint for a service account that nobody knows."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.ports import free_port
from tests.warehouses import wait_for

PROJECT = "test-project"


@dataclass
class BigQuery:
    """A BigQuery. It takes no empty files, nor what is put right below from another process."""

    endpoint: str
    token_uri: str
    private_key: str
    destination: str = "bigquery"

    @property
    def env(self) -> Mapping[str, str]:
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "client_email": f"loader@{PROJECT}.iam.gserviceaccount.com",
            "private_key": self.private_key,
            "token_uri": self.token_uri,
        }
        return {
            "BIGQUERY_EMULATOR_HOST": self.endpoint,
            "DATA_WRITER__DISABLE_COMPRESSION": "true",
            "DESTINATION__BIGQUERY__CREDENTIALS": json.dumps(account),
        }

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        client = bigquery.Client(
            PROJECT, credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=self.endpoint)
        )
        job = bigquery.QueryJobConfig(default_dataset=f"{PROJECT}.authsignal_data")
        return [tuple(row.values()) for row in client.query(query, job_config=job).result()]


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.dumps({"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@contextmanager
def _single_alterations() -> Iterator[None]:
    """`ALTER TABLE` of several columns as several of one: the emulator passes over them otherwise."""
    from google.cloud.bigquery import Client

    def one_by_one(query: Any) -> Any:
        def run(client: Any, sql: str, *arguments: Any, **options: Any) -> Any:
            head, *columns = sql.rstrip("; \n").split("\nADD COLUMN ")
            if not sql.startswith("ALTER TABLE") or len(columns) < 2:
                return query(client, sql, *arguments, **options)
            single = [f"{head}\nADD COLUMN {column.strip(', ')}" for column in columns]
            return [query(client, statement, *arguments, **options) for statement in single][-1]

        return run

    with (
        patch.object(Client, "query", one_by_one(Client.query)),
        patch.object(Client, "query_and_wait", one_by_one(Client.query_and_wait)),
    ):
        yield


@contextmanager
def bigquery_stand_in() -> Iterator[BigQuery]:
    """A new BigQuery."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from duckdb_extensions import import_extension

    import_extension("spatial")  # which the emulator would fetch from the internet
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    tokens, port = HTTPServer(("127.0.0.1", 0), _Tokens), free_port()
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    program = Path(sys.executable).with_name("bqemulator")
    server = subprocess.Popen(
        [program, "start", "--rest-port", str(port), "--grpc-port", "0", "--project", PROJECT, "--log-level", "error"],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, server)
        with _single_alterations():
            yield BigQuery(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{tokens.server_port}/token", key.decode())
    finally:
        server.terminate()
        server.wait(60)
        tokens.shutdown()
        tokens.server_close()
