"""Open the spool at a URL."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.spool.names import SpoolFile, checked

OBJECT_STORES: Final = ("s3", "gs", "az")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


class Spool(Protocol):
    """Immutable files, in a folder or an object store. All methods may be called from several threads."""

    @property
    def url(self) -> str:
        """The folder's path, or the store's URL."""

    def prepare(self) -> None:
        """Create what is missing, and prove that files can be written.

        Raises:
            SpoolUnavailable: They cannot.
        """

    def put(self, name: str, data: bytes) -> None:
        """Store one file. It is durable when this returns. A file that has this name already stays unchanged.

        Raises:
            SpoolUnavailable: The file may not be durable.
            ValueError: This is not the name of a spool file.
        """

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Store the files of one delivery. They are durable when this returns. After an error, some may be there.

        Raises:
            SpoolUnavailable: Some may not be durable.
            ValueError: This is not the name of a spool file.
        """

    def files(
        self,
        tenant: str,
        *,
        table: str | None = None,
        after: str | None = None,
        before: str | None = None,
        days: Collection[str] | None = None,
    ) -> Iterator[SpoolFile]:
        """Yield the files with rows of a tenant, sorted by name. None if the spool does not exist yet.

        Args:
            tenant: Name of the tenant.
            table: Only files of this table.
            after: Only files whose names sort after this text.
            before: Only files whose names sort before this text.
            days: Only files in the folders of these days, such as `2026-11-02`.

        Raises:
            SpoolUnavailable: The files cannot be listed.
        """

    def changed(self, tenant: str) -> Mapping[str, int] | None:
        """Return when the folder of each day last changed, in nanoseconds since 1970; None for an object store.

        Raises:
            SpoolUnavailable: The folders cannot be listed.
        """

    def raw_files(self, tenant: str, *, after: str | None = None, before: str | None = None) -> Iterator[SpoolFile]:
        """Yield the deliveries of a tenant that are kept as they came, sorted by name; otherwise like `files`."""

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            SpoolFileMissing: There is no such file.
            SpoolUnavailable: It cannot be read.
        """

    def replace(self, name: str, data: bytes) -> None:
        """Replace the content of a file, durably, or create it. Used to remove a person's data, and for manifests.

        Raises:
            SpoolUnavailable: The file has its old content, or the new one that may not be durable.
        """

    def delete(self, name: str) -> None:
        """Delete a file, durably. A missing one is not an error.

        Raises:
            SpoolUnavailable: The file may still be there.
        """

    def below(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all files in a folder of the spool, in no particular order.

        Args:
            prefix: Name of the folder, which may be missing; empty for the whole spool.

        Raises:
            SpoolUnavailable: The files cannot be listed.
        """

    def tidy(self, prefix: str) -> None:
        """Remove empty folders in a folder of the spool, and the folder itself.

        Raises:
            SpoolUnavailable: The folders cannot be changed.
        """

    def used_share(self) -> float | None:
        """Return how full the disk is, from 0 to 1; None for an object store.

        Raises:
            SpoolUnavailable: The disk does not tell.
        """


def open_spool(url: str, check: Callable[[str], str] = checked, setting: str = "spool") -> Spool:
    """Return the spool at a URL. Nothing is created, read or connected to yet.

    Args:
        url: A folder, or `s3://`, `gs://` or `az://` with bucket (container) and folder. Object stores get their
            credentials from the environment, as their own tools do.
        check: Returns a file name, or raises ValueError if it is not valid. Default: accepts names of deliveries.
        setting: Name of the setting with the URL, for messages.

    Raises:
        ConfigurationError: There is no spool of this kind.
        ExtraMissing: An object store, without the extra `spool`.
    """
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else "file"
    if scheme in OBJECT_STORES:
        from dlt_authsignal.spool.object_store import ObjectStoreSpool

        return ObjectStoreSpool(url, check)
    if scheme != "file" or not url.strip():
        raise ConfigurationError(
            f'{setting} cannot be "{scheme}://…". Set it to a folder, or to a URL that begins with'
            f" {', '.join(f'{known}://' for known in OBJECT_STORES)}. Nothing was read or written."
        )
    from dlt_authsignal.spool.folder import FolderSpool

    path = unquote(urlsplit(url).path) if found else url
    return FolderSpool(Path(path).expanduser().absolute(), check)
