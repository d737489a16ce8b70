"""Remove the shards that contain a user and are not loaded yet."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.shards.folder import ShardFolder
from dlt_authsignal.source.shards.names import GUARD


def erase_from_shards(settings: SourceSettings, pipeline_name: str, forms: Collection[str]) -> tuple[int, list[str]]:
    """Remove whole shards. The next run of each reads its users again, except for the erased one.

    A shard is removed as a whole because its counts for the delete guard contain a hash of each user id.

    Args:
        settings: Settings of the source.
        pipeline_name: Name of the pipeline.
        forms: Values of `user_id` that identify the user.

    Returns:
        The number of shards that were removed, and the places that could not be searched.
    """
    if not settings.shard_folder:
        return 0, []
    try:
        folder = ShardFolder(settings.shard_folder, pipeline_name)
        files = [file for file in folder.files() if file.attempt and file.table != GUARD]
        if files:
            folder.prepare()  # removes what killed shards left unfinished
        wanted = pa.array(sorted(forms), pa.string())
        found = set()
        for file in files:
            shard = file.round, file.part, file.attempt
            if shard not in found and _may_contain(folder.read_any(file), wanted):
                found.add(shard)
        for round_, part, attempt in found:
            folder.remove_attempt(round_, part, attempt)
    except AuthsignalError as error:  # the tables are erased, whether or not the folder can be reached
        return 0, [f"the shard folder {settings.shard_folder} ({error})"]
    return len(found), []


def _may_contain(data: bytes, wanted: pa.Array) -> bool:
    """Return whether a file contains one of the ids, or cannot be read: then it can never be loaded either."""
    try:
        users = pq.ParquetFile(pa.BufferReader(data)).read(columns=["user_id"])["user_id"]
        return bool(pc.any(pc.is_in(users, wanted)).as_py())
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return True
