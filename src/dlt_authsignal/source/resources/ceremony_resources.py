"""The passkey ceremonies as dlt resources, each read only when it is selected.

No challenge, token or key is loaded; challenges are distinguished by a hash of their id.
"""

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import dlt
from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource

from dlt_authsignal.destination.tombstones import active_tombstones
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.row_hash import fingerprint
from dlt_authsignal.schema.tables import server as tables
from dlt_authsignal.schema.tables.ceremonies import CEREMONIES
from dlt_authsignal.source.async_batches import batches
from dlt_authsignal.source.http.session import writing_session
from dlt_authsignal.source.http.single_call import Call
from dlt_authsignal.source.privacy.guard import Guard
from dlt_authsignal.source.resources.ceremonies import Asked, Ceremonies
from dlt_authsignal.source.resources.client import Client
from dlt_authsignal.source.resources.table_resource import selected_tables, transformer
from dlt_authsignal.source.rows.flatten import Row


def ceremony_resources(client: Client, asked: Asked) -> list[DltResource]:
    """Return the five resources. A step that several of them need runs once."""

    def performed() -> Iterator[list[Call]]:
        wanted, erased = selected_tables(), active_tombstones()
        erased.refuse(client.user_id)

        async def perform(out: MemoryObjectSendStream[Call]) -> None:
            allowed = [endpoint.route() for endpoint in asked.routes.values()]
            async with writing_session(client.throttle.pace, client.base, allowed) as session:
                async for call in Ceremonies(client, asked, session).run(wanted):
                    if call.answer.get("userId") not in erased:  # the user is known only after the sign-in
                        await out.send(call)

        yield from batches(perform, size=10)

    parent: DltResource = dlt.resource(performed, name="_ceremonies", selected=False)
    return [transformer(table, parent, _picker(table, client, asked)) for table in CEREMONIES]


def _picker(table: Table, client: Client, asked: Asked) -> Any:
    def pick(calls: list[Call]) -> list[Row]:
        return [row_of(call, client, asked) for call in calls if call.name == table.name]

    return pick


def row_of(call: Call, client: Client, asked: Asked) -> Row:
    """Return the row of a call. It contains nothing that could be used to pass a challenge."""
    answer, options = call.answer, call.options
    selection = options.get("authenticatorSelection") or {}
    row: Row = {
        "call_id": str(uuid4()),
        "called_at": call.called_at,
        "endpoint": str(call.endpoint),
        "authenticated_with": call.authenticated_with,
        "milliseconds": round(call.milliseconds, 3),
        "status": call.status,
        "error_code": call.error_code,
        "error_description": call.error,
        "challenge_hash": _hash(answer.get("challengeId")),
        "user_id": answer.get("userId") or (client.user_id if call.authenticated_with == "token" else None),
        "action": asked.action,
    }
    if "options" in answer:
        row |= {
            "rp_id": (options.get("rp") or {}).get("id") or options.get("rpId"),
            "rp_name": (options.get("rp") or {}).get("name"),
            "timeout_ms": options.get("timeout"),
            "user_verification": selection.get("userVerification") or options.get("userVerification"),
            "resident_key": selection.get("residentKey"),
            "authenticator_attachment": selection.get("authenticatorAttachment"),
            "attestation": options.get("attestation"),
            "algorithms": [item.get("alg") for item in options.get("pubKeyCredParams") or ()],
            "excluded_credential_ids": [item.get("id") for item in options.get("excludeCredentials") or ()],
            "allowed_credential_ids": [item.get("id") for item in options.get("allowCredentials") or ()],
        }
    for name, key in (("is_verified", "isVerified"), ("user_authenticator_id", "userAuthenticatorId")):
        if key in answer:
            row[name] = answer[key]
    table = tables.TABLES[call.name]
    known = {column.name for column in table.columns}
    row = Guard(client.privacy, table).row({name: value for name, value in row.items() if name in known})
    row["_row_hash"] = fingerprint(row)
    return {**row, "tenant_id": client.tenant, "_api": "client", "_read_at": call.called_at}


def _hash(challenge_id: Any) -> str | None:
    """Return 16 hex digits that distinguish challenges without revealing their ids."""
    if not isinstance(challenge_id, str):
        return None
    return hashlib.blake2b(challenge_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
