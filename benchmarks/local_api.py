"""A local Authsignal that is not the limit: nginx answers from memory, for any number of users, as late as wanted."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from people import MARK, PEOPLE

HERE = Path(__file__).parent
STARTS_WITHIN = 60.0
STARTS = 5
"""Ports that are tried: another program may take one before nginx does."""

CONFIG = """
{modules}
daemon off;
worker_processes 1;
error_log stderr error;
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    keepalive_requests 10000000;
    tcp_nodelay on;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    gzip {gzip};
    gzip_comp_level 1;
    gzip_types application/json;
    lua_package_path "{here}/?.lua;;";
    init_by_lua_block {{
        require("answers").load({{
            folder = "{folder}/bodies", people = {people}, mark = "{mark}", users = {users}, delay = {delay}
        }})
    }}
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{ content_by_lua_block {{ require("answers").answer() }} }}
    }}
}}
"""


class NginxMissing(SystemExit):
    """nginx or its Lua module is not installed."""


TLS = """ ssl http2;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem"""


@dataclass(frozen=True)
class LocalApi:
    """Where it answers, and the file of the certificate that it shows, if it speaks TLS."""

    url: str
    certificate: str | None


@contextmanager
def local_api(users: int, delay: float = 0.0, *, gzip: bool = False, tls: bool = False) -> Iterator[LocalApi]:
    """An API with so many users, for as long as the block lasts.

    Args:
        users: How many there are: `person-0000000` and on.
        delay: Seconds that each answer is late.
        gzip: Whether answers are compressed for those who take it.
        tls: HTTPS, with HTTP/2 for those who ask for it.

    Raises:
        NginxMissing: It cannot be started; says what to install.
    """
    with tempfile.TemporaryDirectory(prefix="authsignal-bench-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(HERE / "people.py"), str(folder / "bodies")], check=True)
        if tls:
            _make_certificate(folder)
        for _ in range(STARTS):
            port = _free_port()
            (folder / "nginx.conf").write_text(_config(folder, port, users, delay, gzip=gzip, tls=tls))
            server = subprocess.Popen([_nginx(), "-p", name, "-c", "nginx.conf"])
            if _is_up(port, server):
                break
        else:
            raise SystemExit("nginx did not start; what it says stands above.")
        try:
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
            yield LocalApi(url, str(folder / "certificate.pem") if tls else None)
        finally:
            server.terminate()
            server.wait(10)


def most_per_second(url: str) -> float | None:
    """Answers a second that nginx gives when nothing else is to be done, by `wrk`; None where that is not installed."""
    wrk = shutil.which("wrk")
    if not wrk:
        return None
    path = f"{url}/users/person-0000003/actions"
    said = subprocess.run([wrk, "-t1", "-c256", "-d2", path], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    return float(found[1]) if found else None


def _config(folder: Path, port: int, users: int, delay: float, *, gzip: bool, tls: bool) -> str:
    return CONFIG.format(
        modules="".join(f"load_module {file};\n" for file in _modules()),
        folder=folder,
        here=HERE,
        people=PEOPLE,
        mark=MARK,
        users=users,
        delay=delay,
        gzip="on" if gzip else "off",
        port=port,
        tls=TLS.format(folder=folder) if tls else "",
    )


def _nginx() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if not found:
        raise NginxMissing("This benchmark needs nginx with its Lua module: sh scripts/system_packages.sh bench")
    return found


def _modules() -> list[Path]:
    """Files of the Lua module and of the one it needs; none where they are built in."""
    built = subprocess.run([_nginx(), "-V"], capture_output=True, text=True, check=True).stderr
    if "--with-lua" in built or "openresty" in built:
        return []
    told = re.search(r"--modules-path=(\S+)", built)
    folder = Path(told[1] if told else "/usr/lib/nginx/modules")
    files = [folder / "ndk_http_module.so", folder / "ngx_http_lua_module.so"]
    if not all(file.exists() for file in files):
        raise NginxMissing(
            f"nginx is here, its Lua module is not in {folder}. On Debian: sh scripts/system_packages.sh bench"
        )
    return files


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _make_certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    command = ["openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=local", "-newkey", "ec"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", "key.pem", "-out", "certificate.pem"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _is_up(port: int, server: "subprocess.Popen[bytes]") -> bool:
    """Wait until the server answers; return false if it ended before, or was ended because it does not."""
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=STARTS_WITHIN).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return server.poll() is None
    server.kill()
    server.wait(10)
    return False
