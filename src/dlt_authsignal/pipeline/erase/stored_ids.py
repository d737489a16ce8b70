"""Return the forms in which tables may store a user's id."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.policy import Privacy, key_of_tenant
from dlt_authsignal.source.privacy.settings import privacy_from


def stored_forms(user_id: str, settings: SourceSettings) -> frozenset[str]:
    """Return the values of `user_id` columns that identify this user, under any earlier privacy settings.

    They are the id itself and its hashes under the privacy key and earlier privacy keys, with and without
    privacy_per_tenant. No other user has the same hashes. An id that looks like a hash is stored only as a hash of
    itself: a row with the id itself may be that of another user, and stays.
    """
    privacy = privacy_from(settings)
    keys = [privacy.key, *(settings.former_privacy_keys or "").split()]
    tenants = (None, settings.tenant_id) if settings.tenant_id else (None,)
    forms = forms_of(user_id, [key_of_tenant(key, tenant) for key in keys if key for tenant in tenants])
    return forms - {user_id} if privacy.may_be_pseudonym(user_id) else forms


def forms_of(user_id: str, keys: Iterable[str | None]) -> frozenset[str]:
    """Return the id and its hashes under each key that is set: as a user id, and as an item of a value list."""
    known = [Privacy(key=key) for key in keys if key]
    items = (privacy.item(user_id) or user_id for privacy in known)
    return frozenset({user_id, *(privacy.hashed(user_id) for privacy in known), *items})


def naming(credential_ids: Collection[str], calls: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Yield the ids of the calls that contain one of the passkeys.

    Args:
        credential_ids: Credential ids of the passkeys.
        calls: Id of each call, and the credential ids in it: a list, JSON text, or None.
    """
    for call_id, named in calls:
        if any(credential_id in str(named) for credential_id in credential_ids):
            yield str(call_id)
