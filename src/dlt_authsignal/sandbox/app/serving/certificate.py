"""A certificate for HTTPS, made at each start. The keys stay in memory."""

import base64
import hashlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORGANIZATION: Final = "dlt-authsignal sandbox"
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
VALID_DAYS: Final = 90
"""Well below 825 days, the most that Apple's systems accept."""


@dataclass(frozen=True)
class Certificate:
    """A server certificate, and the certificate of the authority that signed it.

    Attributes:
        context: What a server needs to speak TLS.
        authority: The certificate to trust, in PEM. It is not secret.
        key_hash: SHA-256 of the server's public key in base64, as Chromium's
            `--ignore-certificate-errors-spki-list` takes it.
    """

    context: ssl.SSLContext
    authority: bytes
    key_hash: str

    @classmethod
    def create(cls, *hosts: str) -> "Certificate":
        """Return a certificate for this machine and for other host names or addresses.

        The authority's key is not kept, so that no other certificate can be signed with it. Python reads a
        server's key from files only: trustme writes it to a temporary file with mode 600, and deletes that immediately.

        Raises:
            ValueError: A host cannot be in a certificate.
        """
        authority = trustme.CA(organization_name=ORGANIZATION, organization_unit_name="made at one start, key not kept")
        names = dict.fromkeys((*LOCAL_NAMES, *hosts))
        try:
            server = authority.issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=VALID_DAYS))
        except ValueError as error:
            raise ValueError(f"No certificate can be made for {', '.join(names)}: {error}.") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.configure_cert(context)
        return cls(context, authority.cert_pem.bytes(), _key_hash(server.cert_chain_pems[0].bytes()))

    def write_authority(self, path: Path) -> None:
        """Write the certificate to trust, readable for every account. It replaces the one of an earlier start.

        Raises:
            ValueError: Another file is at the path. It was not changed.
            OSError: The file cannot be written.
        """
        if path.exists() and not _is_of_a_sandbox(path):
            raise ValueError(f"{path} exists and is not a certificate of a sandbox. It was not changed.")
        path.write_bytes(self.authority)
        path.chmod(0o644)


def _key_hash(pem: bytes) -> str:
    key = x509.load_pem_x509_certificate(pem).public_key()
    found = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(found).digest()).decode()


def _is_of_a_sandbox(path: Path) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return any(name.value == ORGANIZATION for name in found.subject)
