"""From the body of a delivery to durable files: verify, decode, protect, write."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import Any

from dlt_authsignal.api.webhooks import SYNCHRONOUS_TYPES
from dlt_authsignal.receiver import answers
from dlt_authsignal.receiver.signatures import signed_bytes
from dlt_authsignal.source.events.envelopes import NotAnEnvelope, envelopes_of
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.spool import Spool, file_name, raw_file_name
from dlt_authsignal.spool.encryption import Sealer
from dlt_authsignal.spool.parquet import as_parquet


@dataclass(frozen=True)
class Delivery:
    """One request.

    Attributes:
        body: The body as it came.
        signature: Value of `X-Signature-V2`; None if there is none.
        encoding: Value of `Content-Encoding`.
    """

    body: bytes
    signature: str | None
    encoding: str


class Intake:
    """Stores the deliveries of one tenant. `store` may be called from several threads.

    Args:
        tenant: Name of the tenant.
        keys: Accepted API secret keys.
        tolerance: Maximum age of a signature; zero accepts any age.
        shaper: Turns envelopes into protected rows.
        spool: Where the files go.
        sealer: Encrypts deliveries that are kept as they came; None keeps none.
        body_bytes: Maximum size of a body when decompressed.
        records: Maximum number of events.
    """

    def __init__(
        self,
        *,
        tenant: str,
        keys: Sequence[str],
        tolerance: timedelta,
        shaper: EventShaper,
        spool: Spool,
        sealer: Sealer | None,
        body_bytes: int,
        records: int,
    ) -> None:
        self._tenant = tenant
        self._keys = keys
        self._tolerance = tolerance.total_seconds()
        self._shaper = shaper
        self._spool = spool
        self._sealer = sealer
        self._body_bytes = body_bytes
        self._records = records
        self._shaping = Lock()

    def store(self, delivery: Delivery) -> answers.Accepted:
        """Store a delivery. It is durable when this returns.

        Raises:
            Refused: It is not signed, or not a delivery of events.
            SpoolUnavailable: It could not be stored.
            ConfigurationError: The settings do not allow to protect it.
        """
        received_at = datetime.now(UTC)
        signed = signed_bytes(
            delivery.body,
            header=delivery.signature,
            encoding=delivery.encoding,
            keys=self._keys,
            now=received_at.timestamp(),
            tolerance=self._tolerance,
            limit=self._body_bytes,
        )
        with self._shaping:  # one at a time: it is bound by the interpreter's lock anyway
            envelopes = self._envelopes(signed)
            tables = self._tables(envelopes, received_at)
        digest = sha256(signed).hexdigest()
        files = {file_name(self._tenant, received_at, digest, name): as_parquet(tables[name]) for name in tables}
        if self._sealer and tables and not _has_synchronous(envelopes):
            files[raw_file_name(self._tenant, received_at, digest)] = self._sealer.sealed(
                signed, signature=delivery.signature or "", received_at=received_at
            )
        begun = time.perf_counter()
        if files:
            self._spool.put_all(files)
        return answers.Accepted({name: tables[name].num_rows for name in tables}, time.perf_counter() - begun)

    def _tables(self, envelopes: list[Any], received_at: datetime) -> dict[str, Any]:
        try:
            return self._shaper(envelopes, received_at)
        except NotAnEnvelope as error:
            raise answers.not_an_envelope(str(error)) from None

    def _envelopes(self, signed: bytes) -> list[Any]:
        try:
            envelopes = envelopes_of(signed)
        except NotAnEnvelope as error:
            raise answers.not_an_envelope(str(error)) from None
        if len(envelopes) > self._records:
            raise answers.not_an_envelope(f"it has more than {self._records:,} records")
        if envelopes and all(_is_synchronous(each) for each in envelopes):
            raise answers.synchronous(", ".join(sorted({each["type"] for each in envelopes})))
        return envelopes


def _has_synchronous(envelopes: Sequence[Any]) -> bool:
    return any(_is_synchronous(each) for each in envelopes)


def _is_synchronous(envelope: Any) -> bool:
    found = envelope.get("type") if isinstance(envelope, dict) else None
    return isinstance(found, str) and found in SYNCHRONOUS_TYPES
