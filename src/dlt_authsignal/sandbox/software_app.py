"""A mobile app in software: a key pair that is enrolled and signs, for push, QR code and in-app tests."""

import base64
from functools import cached_property
from typing import Any


class SoftwareApp:
    """One app on one phone.

    Example:
        >>> app = SoftwareApp()
        >>> sorted(app.enrolment("Ada's phone"))
        ['deviceName', 'devicePlatform', 'publicKey']
    """

    @cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric import ec

        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def public_key(self) -> str:
        """The public key: DER (SPKI) in base64."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def sign(self, message: str) -> str:
        """A signature over the text, in base64."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        return base64.b64encode(self._key.sign(message.encode(), ec.ECDSA(hashes.SHA256()))).decode()

    def enrolment(self, device_name: str = "Phone", platform: str = "ios") -> dict[str, str]:
        """Body of `POST /client/user-authenticators/{push,qr-code,in-app}`."""
        return {"publicKey": self.public_key, "deviceName": device_name, "devicePlatform": platform}

    def signed(self, challenge_id: str, **more: Any) -> dict[str, Any]:
        """Body of an answer to a challenge."""
        body = {"publicKey": self.public_key, "challengeId": challenge_id, "signature": self.sign(challenge_id)}
        return {**body, **more}
