"""Fingerprints of what the shards of a round and their load must share: settings may be secret or personal."""

from collections.abc import Collection
from hashlib import blake2b, sha256
from importlib.metadata import version
from typing import Any, Final

import msgspec

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.settings import privacy_from
from dlt_authsignal.source.shards.files import TABLES
from dlt_authsignal.source.shards.folder import ShardFolder

_OF_SHARDS: Final = ("users_from", "users_column", "exclude_users", "refresh_users", "max_staleness", "full")
"""Settings that decide which users are read. The load does not use them."""


def settings_alike(settings: SourceSettings) -> dict[str, str]:
    """Return fingerprints of the settings that all shards must share."""
    return {name: _mark(settings, getattr(settings, name)) for name in _OF_SHARDS}


def stored_alike(settings: SourceSettings, selected: Collection[str]) -> dict[str, str]:
    """Return fingerprints of what the shards and the load must share, because it determines how rows are stored.

    Args:
        settings: The settings.
        selected: The selected tables.
    """
    return {
        "version of dlt-authsignal": version("dlt-authsignal"),
        "privacy or privacy_key": f"{privacy_from(settings).fingerprint:016x}",
        "tables": _mark(settings, sorted(TABLES.keys() & set(selected))),
        "tenant_id": _mark(settings, settings.tenant_id),
    }


def shard_folder(settings: SourceSettings, pipeline_name: str) -> ShardFolder:
    """Return the shard folder in the settings.

    Raises:
        ConfigurationError: There is none.
    """
    if not settings.shard_folder:
        raise ConfigurationError(
            "Shards need a folder that all of them can write to. Nothing was read or loaded. Pass --shard-folder with a"
            " folder or a URL such as s3://bucket/shards, or set shard_folder under [sources.authsignal_source] in"
            " .dlt/config.toml."
        )
    return ShardFolder(settings.shard_folder, pipeline_name)


def _mark(settings: SourceSettings, value: Any) -> str:
    """Return a fingerprint of a value. Without the key of the API, the value cannot be guessed from it."""
    key = sha256(b"shards" + str(settings.api_secret_key).encode()).digest()
    return blake2b(msgspec.json.encode(value, enc_hook=str), digest_size=8, key=key).hexdigest()
