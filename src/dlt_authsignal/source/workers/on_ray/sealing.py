"""Encrypt the messages between a sync and a worker.

Ray copies arguments and results into its object store, may write them to disk, and sends them over the network. The
encryption keys exist only in the memory of the two processes, so Ray never sees keys of Authsignal, user ids or rows.
"""

import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE: Final = 12
_TO_WORKER: Final = b"to the worker"
_TO_SYNC: Final = b"to the sync"


class Sealer:
    """One end of an encrypted connection: X25519, HKDF-SHA-256 and AES-256-GCM, new keys for each connection.

    Attributes:
        public: Public key, which the other end needs.

    Args:
        is_sync: Whether this is the end of the sync; the other end is a worker.
    """

    def __init__(self, *, is_sync: bool) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()
        self._mine, self._theirs = (_TO_WORKER, _TO_SYNC) if is_sync else (_TO_SYNC, _TO_WORKER)

    def meet(self, public: bytes) -> None:
        """Agree on a key with the other end."""
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(public))
        key = HKDF(SHA256(), 32, salt=None, info=b"dlt-authsignal worker").derive(shared)
        self._cipher = AESGCM(key)

    def sealed(self, plain: bytes) -> bytes:
        """Return a message, encrypted."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, self._mine)

    def opened(self, sealed: bytes) -> bytes:
        """Return a message of the other end, decrypted."""
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._theirs)
