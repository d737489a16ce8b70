"""A local server that speaks TLS with any certificate, and a small proxy."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = "Corporate Inspection CA"
Serve = Callable[[socket.socket], None]


def certificate(folder: Path, *, host: str = "localhost", days: int = 30) -> tuple[Path, Path]:
    """Files of an authority's certificate, and of a server's certificate with its key, valid until `days` from now."""
    key, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY)])
    authority = _signed(issuer, issuer, key, key, days=3650, extra=x509.BasicConstraints(ca=True, path_length=None))
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ip_address("127.0.0.1")))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    leaf = _signed(subject, issuer, server, key, days=days, extra=x509.SubjectAlternativeName(names))
    trusted, chain = folder / "authority.pem", folder / "server.pem"
    trusted.write_bytes(_pem(authority))
    secret = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(_pem(leaf) + secret)
    return trusted, chain


def _pem(found: x509.Certificate) -> bytes:
    return found.public_bytes(serialization.Encoding.PEM)


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    of: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    *,
    days: int,
    extra: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    build = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(of.public_key())
    build = build.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=60))
    build = build.not_valid_after(now + timedelta(days=days)).add_extension(extra, critical=True)
    build = build.add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
    about = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
    return build.add_extension(about, critical=False).sign(by, hashes.SHA256())


def answering(body: bytes, status: str = "200 OK", kind: str = "application/json") -> Serve:
    """Respond to each request with these bytes."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head.encode() + body)

    return serve


def raw(text: bytes) -> Serve:
    """Read a request, send these bytes and close the connection."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return serve


def tunnel(to: int, login: str | None = None) -> Serve:
    """Be a proxy that connects every host to a local port, and wants this login if there is one."""

    def serve(connection: socket.socket) -> None:
        head = connection.recv(65536)
        if login is not None and login.encode() not in head:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", to), 5) as other:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copied, args=(other, connection), daemon=True)
            back.start()
            _copied(connection, other)
            back.join(30)

    return serve


def _copied(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def served(serve: Serve, chain: Path | None = None) -> Iterator[int]:
    """Serve each connection in a thread until the block ends; with a certificate, in TLS. Yields the port."""
    context = None
    if chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)

    def one(connection: socket.socket) -> None:
        try:
            connection.settimeout(5)
            with context.wrap_socket(connection, server_side=True) if context else connection as ready:
                serve(ready)
        except OSError:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
