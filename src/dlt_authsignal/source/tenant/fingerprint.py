"""Fingerprint of a key: recognises the key again, and does not reveal it."""

import hashlib
import secrets
from functools import lru_cache
from typing import Final

from yarl import URL

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.source.config.connection import is_loopback

SALT_BYTES: Final = 16
FINGERPRINT_BYTES: Final = 16
_COST: Final = 2**14
"""scrypt's cost: 16 MiB and about 50 ms for each try, so that guesses of a key are slow to test."""

_BLOCK: Final = 8
_MEMORY: Final = 64 * 1024 * 1024


@lru_cache(maxsize=16)
def fingerprint(key: str, region: str, salt: str) -> str:
    """Return the scrypt hash of a key and its region as 32 hexadecimal digits.

    Args:
        key: The Server API secret key.
        region: Its region, from `region_of`.
        salt: Random salt of the dataset, hexadecimal.
    """
    text = f"{region}\n{key}".encode()
    found = hashlib.scrypt(
        text, salt=bytes.fromhex(salt), n=_COST, r=_BLOCK, p=1, maxmem=_MEMORY, dklen=FINGERPRINT_BYTES
    )
    return found.hex()


def new_salt() -> str:
    """Return a random salt, hexadecimal."""
    return secrets.token_hex(SALT_BYTES)


def region_of(base: URL) -> str:
    """Return the region of an address, or its host if it is no region's. Every address of this machine is one region:
    the sandbox takes a new port at each start."""
    for region, address in REGIONS.items():
        if base.host == URL(address).host:
            return region
    host = base.host or ""
    return "this machine" if is_loopback(host) else host
