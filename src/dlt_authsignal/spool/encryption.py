"""Deliveries that are kept as they came, encrypted with Fernet (AES-128-CBC and HMAC-SHA-256).

Decrypted, a file is one header per line, an empty line, and the body that Authsignal signed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from dlt_authsignal.errors import ConfigurationError, ExtraMissing

SIGNATURE: Final = "X-Signature-V2"
RECEIVED: Final = "X-Received-At"


class Sealer:
    """Encrypts and decrypts deliveries.

    Args:
        keys: Fernet keys. The first one encrypts; each decrypts.

    Raises:
        ConfigurationError: A key is not a Fernet key.
        ExtraMissing: The extra `receiver` is not installed.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError:
            raise ExtraMissing("spool_encryption", "receiver") from None
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                "spool_encryption is not a Fernet key: 32 random bytes in URL-safe base64. Make one with: python -c"
                ' "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            ) from None

    def sealed(self, body: bytes, *, signature: str, received_at: datetime) -> bytes:
        """Return a delivery, encrypted.

        Args:
            body: The bytes that Authsignal signed.
            signature: Value of `X-Signature-V2`.
            received_at: When it was received.
        """
        time = received_at.astimezone(UTC).isoformat()
        return self.sealed_again(body, {SIGNATURE: signature, RECEIVED: time})

    def sealed_again(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Return a delivery whose body was changed, encrypted.

        Args:
            body: The new body, which the signature no longer fits.
            headers: What `opened` returned.
        """
        head = "".join(f"{name}: {_line(value)}\n" for name, value in headers.items())
        return self._fernet.encrypt(f"{head}\n".encode() + body)

    def opened(self, content: bytes) -> tuple[Mapping[str, str], bytes]:
        """Return headers and body of an encrypted delivery.

        Raises:
            ConfigurationError: None of the keys encrypted it.
        """
        from cryptography.fernet import InvalidToken

        try:
            plain = self._fernet.decrypt(content)
        except InvalidToken:
            raise ConfigurationError(
                "A delivery cannot be decrypted: no key in spool_encryption fits. Nothing was changed. Add the"
                " earlier key after the current one, separated by a space."
            ) from None
        head, _, body = plain.partition(b"\n\n")
        lines = (line.partition(": ") for line in head.decode("utf-8", "replace").splitlines())
        return {name: value for name, _, value in lines}, body


def _line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
