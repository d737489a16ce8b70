"""What a person may be known by in the tables: every place that has to find them asks here."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.privacy.settings import privacy_from


def stored_forms(user_id: str, pipeline_name: str) -> frozenset[str]:
    """The values of `user_id` columns that mean this person, whichever settings of privacy they were loaded with.

    The id itself, and its hash under the privacy key and under those that were used before it: a hash of this id is
    nobody else's.
    """
    settings = resolved_settings(pipeline_name)
    return forms_of(user_id, [privacy_from(settings).key, *(settings.former_privacy_keys or "").split()])


def forms_of(user_id: str, keys: Iterable[str | None]) -> frozenset[str]:
    """The id, and its hash under each of the keys there are."""
    return frozenset({user_id, *(Privacy(key=key).hashed(user_id) for key in keys if key)})


def naming(credential_ids: Collection[str], calls: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """The calls that name one of the passkeys.

    Args:
        credential_ids: The passkeys' ids.
        calls: Id of each call, and the credential ids in it: a list, JSON text, or None.
    """
    for call_id, named in calls:
        if any(credential_id in str(named) for credential_id in credential_ids):
            yield str(call_id)
