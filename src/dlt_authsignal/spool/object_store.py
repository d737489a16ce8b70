"""A spool in an object store: S3, Google Cloud Storage or Azure, by `obstore`.

A file is created with a request that the store refuses when the name exists. So no file is overwritten, and a repeated
request after a lost response is a success.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.errors import ConfigurationError, ExtraMissing, SpoolFileMissing, SpoolUnavailable
from dlt_authsignal.spool.names import RAW, SpoolFile, between, check_tenant, checked, is_name

if TYPE_CHECKING:
    from obstore.store import ObjectStore

REQUEST_TIMEOUT: Final = timedelta(seconds=10)
CONNECT_TIMEOUT: Final = timedelta(seconds=3)
RETRIES: Final = 3
RETRY_TIMEOUT: Final = timedelta(seconds=15)
"""No request is retried later than this. The sender of a delivery waits for the response."""

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_ENDPOINT")


class ObjectStoreSpool:
    """Objects below one prefix of a bucket or container.

    Args:
        url: URL of the bucket and the prefix.
        check: Returns a file name, or raises ValueError if it is not valid.
    """

    def __init__(self, url: str, check: Callable[[str], str] = checked) -> None:
        self._url = url.rstrip("/")
        self._checked = check
        self._store = _opened(self._url)

    @property
    def url(self) -> str:
        return self._url

    def prepare(self) -> None:
        with _reported(self._url, "cannot be listed"):
            self._store.list_with_delimiter()

    def put(self, name: str, data: bytes) -> None:
        from obstore.exceptions import AlreadyExistsError

        self._checked(name)
        with _reported(self._url, "did not store a delivery"):
            try:
                self._store.put(name, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                # stored by an earlier attempt, whose response was lost; or S3's 409, two requests at once, of which
                # both may fail: then this finds no file
                self._store.head(name)

    def put_all(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            self.put(name, data)

    def files(
        self,
        tenant: str,
        *,
        table: str | None = None,
        after: str | None = None,
        before: str | None = None,
        days: Collection[str] | None = None,
    ) -> Iterator[SpoolFile]:
        return self._listed(check_tenant(tenant), table, after or "", before, days)

    def changed(self, tenant: str) -> Mapping[str, int] | None:
        return None

    def raw_files(self, tenant: str, *, after: str | None = None, before: str | None = None) -> Iterator[SpoolFile]:
        return self._listed(f"{RAW}/{check_tenant(tenant)}", None, after or "", before)

    def read(self, name: str) -> bytes:
        self._checked(name)
        with _reported(self._url, "cannot be read"):
            try:
                return bytes(self._store.get(name).bytes())
            except FileNotFoundError:
                raise SpoolFileMissing(self._url, f"has no file {name}", "it was deleted") from None

    def replace(self, name: str, data: bytes) -> None:
        with _reported(self._url, "did not replace a file"):
            self._store.put(self._checked(name), data, mode="overwrite", use_multipart=False)

    def delete(self, name: str) -> None:
        self._checked(name)
        with _reported(self._url, "did not delete a file"), suppress(FileNotFoundError):
            self._store.delete(name)

    def below(self, prefix: str = "") -> Iterator[str]:
        with _reported(self._url, "cannot be listed"):
            for page in self._store.list(prefix or None, chunk_size=1_000):
                yield from (str(each["path"]) for each in page)

    def tidy(self, prefix: str) -> None:
        """Do nothing: a store has no folders."""

    def used_share(self) -> float | None:
        return None

    def _listed(
        self, above: str, table: str | None, after: str, before: str | None, wanted: Collection[str] | None = None
    ) -> Iterator[SpoolFile]:
        """Yield by day: not every store lists in order, and a day fits into memory."""
        with _reported(self._url, "cannot be listed"):
            days = [f"{day}/" for day in self._store.list_with_delimiter(above)["common_prefixes"]]
        if wanted is not None:
            days = [day for day in days if day.split("/")[-2] in wanted]
        yield from between(days, lambda day: self._in_day(day, table), after, before)

    def _in_day(self, day: str, table: str | None) -> Iterator[SpoolFile]:
        ending = f".{table}.parquet" if table else ""
        with _reported(self._url, "cannot be listed"):
            for page in self._store.list(day, chunk_size=1_000):
                for each in page:
                    if each["path"].endswith(ending) and is_name(each["path"]):
                        yield SpoolFile(each["path"], each["size"])


def _opened(url: str) -> "ObjectStore":
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise ExtraMissing("A spool in an object store", "spool") from None
    options: Any = {"timeout": REQUEST_TIMEOUT, "connect_timeout": CONNECT_TIMEOUT}
    if any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS):
        options["allow_http"] = True
    try:
        return from_url(
            url, client_options=options, retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_TIMEOUT}
        )
    except (BaseError, ValueError) as error:
        reason = _reason(error)
    raise ConfigurationError(
        f"{url} cannot be opened: {reason}. Check the URL and the environment variables of the store."
        " Nothing was read or written."
    )


@contextmanager
def _reported(url: str, what: str) -> Iterator[None]:
    """Report errors of the store as errors of the spool."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        reason = _reason(error)
    else:
        return
    raise SpoolUnavailable(url, what, reason)


def _reason(error: Exception) -> str:
    """Return the first line of a store's error: the others repeat the request."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
