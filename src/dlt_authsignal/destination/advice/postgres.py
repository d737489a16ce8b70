"""Explain why PostgreSQL (or Redshift, which libpq connects to as well) refuses a connection."""

import re
from typing import Final

_FAULTS: Final = (
    ("password authentication failed", "Correct username and password{at}."),
    (
        "no password supplied",
        "The server requires a password. Set password{at}, or PGPASSWORD, or a line of ~/.pgpass.",
    ),
    (
        "authentication failed",
        "The server does not accept this way to sign in. Correct username{at}, or the server's pg_hba.conf.",
    ),
    ("role .* is not permitted to log in", "Set another username{at}, or grant LOGIN to this role."),
    ("role .* does not exist", "Correct username{at}."),
    ("database .* does not exist", "Correct database{at}, or create it: CREATE DATABASE."),
    ("permission denied for database", "Correct username or database{at}, or grant CONNECT on the database."),
    (
        "too many connections|too many clients|remaining connection slots",
        "Wait until other programs disconnect, or raise max_connections of the server or the role's limit.",
    ),
    (
        "no encryption|SSL required|SSL off",
        "The server requires TLS. Add ?sslmode=require to the URL{in_url}, or set PGSSLMODE=require.",
    ),
    ("pg_hba.conf", "Allow this machine, user and database in the server's pg_hba.conf, or correct them{at}."),
    (
        "does not support SSL",
        "The server has no TLS. Remove sslmode from the URL{in_url} and from PGSSLMODE, or switch TLS on.",
    ),
    (
        "certificate verify failed|root certificate|certificate",
        "Set sslrootcert in the URL{in_url} (or PGSSLROOTCERT) to the file of the authority that issued the server's"
        " certificate.",
    ),
    ("sslmode", "Correct sslmode in the URL{in_url}: disable, allow, prefer, require, verify-ca or verify-full."),
    (
        "could not translate host name|Name or service not known|nodename nor servname",
        "No such host. Correct host{at}. If the password contains @ : / or ?, write it in the URL as %40 %3A %2F %3F.",
    ),
    ("on socket", "No host is set, so the local socket was tried. Set host{at}, or start the server on this machine."),
    ("Connection refused", "Nothing listens there. Correct host and port{at}, or start the server."),
    (
        "invalid response to SSL|unexpected response",
        "A program other than PostgreSQL answers there. Correct host and port{at}.",
    ),
    (
        "timeout expired|timed out|No route to host|Network is unreachable",
        "The server cannot be reached from here. Correct host and port{at}, or allow the connection in the firewall.",
    ),
    ("server closed the connection", "Run again. If it happens each time, look into the server's log."),
    ("definition of service", "Correct PGSERVICE or service in the URL, or add the service to ~/.pg_service.conf."),
    ("starting up|shutting down|recovery mode", "Wait until the server is ready, then run again."),
    ("invalid dsn|invalid connection option", "Correct the options after the question mark of the URL{in_url}."),
)
_READ_ONLY: Final = "read-only transaction|cannot execute .* in a read-only|hot standby"
_OF_CONFIGURATION: Final = re.compile(
    "authentication failed|no password|does not exist|not permitted|pg_hba|SSL (?!neg)|sslmode|translate host|service"
    "|invalid dsn|certificate"
)
_WITH_SECRET: Final = re.compile(r'"[^"\n]*@[^"\n]*"')


def connection_fault(text: str, name: str) -> tuple[str, bool]:
    """Return why a connection failed with what to do, and whether a setting has to change.

    Args:
        text: libpq's message.
        name: Name of the destination in the settings.
    """
    reason = _WITH_SECRET.sub("…", " ".join(text.split()).partition(" Is the server running")[0]).rstrip(".")
    at = f" under [destination.{name}.credentials]"
    advice = next((advice for sign, advice in _FAULTS if re.search(sign, reason)), "Check{at}.")
    fix = advice.format(at=at, in_url=f" of [destination.{name}]").replace("Check under", "Check")
    return f"{reason}. {fix}", bool(_OF_CONFIGURATION.search(reason))


def is_read_only(text: str) -> bool:
    """Whether the server refused to write because it is a replica, or its sessions are read-only."""
    return re.search(_READ_ONLY, text) is not None
