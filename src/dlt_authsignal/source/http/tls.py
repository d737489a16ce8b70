"""Which certificates are trusted, and what a server's certificate says if it is not."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError

FILES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Environment variables with a file of certificates to trust. OpenSSL reads the first one itself."""

PROBE_SECONDS: Final = 5.0
_NAMED: Final = ("commonName", "organizationName")


def trusted() -> ssl.SSLContext:
    """Return the certificates of the system, and those of the environment's files.

    Raises:
        ConfigurationError: A file does not exist, or contains no certificate.
    """
    return _trusting(tuple((name, os.environ.get(name, "")) for name in (*FILES, "SSL_CERT_DIR")))


@lru_cache(maxsize=4)
def _trusting(files: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for name, path in files:
        if not path or name == "SSL_CERT_DIR":
            continue
        try:
            folder = Path(path).is_dir()
            context.load_verify_locations(cafile=None if folder else path, capath=path if folder else None)
        except (OSError, ssl.SSLError) as error:
            reason = "it contains no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigurationError(
                f'The environment variable {name} names a file that cannot be used: "{path}" ({reason}). Nothing was'
                " read. Set it to a PEM file with the certificates to trust, or unset it."
            ) from None
    return context


def issuer(host: str, port: int) -> str | None:
    """Return who issued the certificate of a server; None if that cannot be read. Sends nothing but handshakes.

    Python decodes only certificates that it has verified, so the second handshake trusts exactly this certificate.
    """
    der = _handshake(host, port)
    if not der:
        return None
    try:
        context = ssl.create_default_context(cadata=der)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with _wrapped(context, host, port) as wrapped:
            found = wrapped.getpeercert() or {}
    except (OSError, ValueError):
        return None
    names: Any = found.get("issuer", ())
    parts = [str(value) for part in names for name, value in part if name in _NAMED]
    return ", ".join(parts)[:200] or None


def speaks_tls(host: str, port: int) -> bool:
    """Whether a port answers a TLS handshake."""
    return _handshake(host, port) is not None


@lru_cache(maxsize=16)
def _handshake(host: str, port: int) -> bytes | None:
    """Return a server's certificate without checking it; None if there is none. No request is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _wrapped(context, host, port) as wrapped:
            return wrapped.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return None


@contextmanager
def _wrapped(context: ssl.SSLContext, host: str, port: int) -> Iterator[ssl.SSLSocket]:
    with (
        closing(socket.create_connection((host, port), PROBE_SECONDS)) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        yield wrapped
