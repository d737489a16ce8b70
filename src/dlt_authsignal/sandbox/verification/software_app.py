"""A mobile app in software, to test push, QR code and in-app verification without a phone."""

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from dlt_authsignal.sandbox.verification.signatures import removal_message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


class SoftwareApp:
    """An installed app with its own key pair. It makes request bodies, which any HTTP client can send.

    Args:
        device_name: Name of the phone.
        platform: Platform as in the SDKs.
        algorithm: `EC` as in all official SDKs, or `RSA`.

    Example:
        >>> app = SoftwareApp()
        >>> sorted(app.claim("a-challenge-id"))
        ['challengeId', 'publicKey', 'signature']
    """

    def __init__(
        self,
        device_name: str = "Software phone",
        platform: Literal["ios", "android"] = "ios",
        algorithm: Literal["EC", "RSA"] = "EC",
    ) -> None:
        self.device_name, self.platform = device_name, platform
        self._key = _new_key(algorithm)

    @property
    def public_key(self) -> str:
        """Base64 of the DER SubjectPublicKeyInfo."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return base64.b64encode(
            self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    @property
    def query_key(self) -> str:
        """The public key as the SDKs put it into a query: encoded again, in base64url."""
        return base64.urlsafe_b64encode(self.public_key.encode()).decode().rstrip("=")

    def sign(self, message: str) -> str:
        """Base64 of the signature over a challenge id, or over a message from the API."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self._key, EllipticCurvePrivateKey):
            signature = self._key.sign(message.encode(), ECDSA(SHA256()))
        else:
            signature = self._key.sign(message.encode(), PKCS1v15(), SHA256())
        return base64.b64encode(signature).decode()

    def enrolment(self, push_token: str | None = None) -> dict[str, Any]:
        """Body of `POST /client/user-authenticators/{push,qr-code,in-app}`."""
        body = {"publicKey": self.public_key, "deviceName": self.device_name, "devicePlatform": self.platform}
        return {**body, "pushToken": push_token} if push_token else body

    def claim(self, challenge_id: str) -> dict[str, Any]:
        """Body of `POST …/qr-code/challenge/claim`; `POST /client/verify/in-app` takes the same."""
        return {"publicKey": self.public_key, "challengeId": challenge_id, "signature": self.sign(challenge_id)}

    def answer(self, challenge_id: str, *, approved: bool = True, code: str | None = None) -> dict[str, Any]:
        """Body of `POST …/{push,qr-code}/challenge`, with the number that the user matched if there is one."""
        body = {**self.claim(challenge_id), "approved": approved}
        return {**body, "verificationCode": code} if code else body

    def update(self, challenge_id: str, message: str, **changes: Any) -> dict[str, Any]:
        """Body of `PATCH …/push`, with the id and the message of `POST …/push/sign`."""
        return {
            "publicKey": self.public_key,
            "challengeId": challenge_id,
            "signature": self.sign(message),
            **changes,
        }

    def removal(self, now: datetime) -> dict[str, Any]:
        """Body of `POST …/{push,qr-code,in-app}/remove`.

        Args:
            now: Time of the sandbox's clock, which differs from the present with a seed.
        """
        return {"publicKey": self.public_key, "signature": self.sign(removal_message(now))}


def _new_key(algorithm: Literal["EC", "RSA"]) -> "EllipticCurvePrivateKey | RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if algorithm == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
