"""Every change that this package makes to dlt or to the process. Importing this package makes none of them.

`adapt`, `direct_merge` and `empty_text` change what dlt does, `fixed_cost` what it repeats, `libpq` which credentials
it accepts, and `duckdb_pool` and `local_bucket` who can read its files.
`replaced` checks each function before it is replaced. `tests/test_dlt_contract.py` lists the parts of dlt that are
relied on; docs/decisions/0011-changes-to-dlt.md gives the reasons.
"""

from dlt_authsignal.destination.dlt_patches.adapt import (
    LIMIT,
    THREADS,
    adapt_dlt,
    adapt_running_pipeline,
    dataset_of,
    end_with_message,
    is_anothers,
    is_ours,
    offer_defaults,
    read_marked_settings,
    remove_with,
    replace_iceberg_merge,
)
from dlt_authsignal.destination.dlt_patches.direct_merge import merges_directly
from dlt_authsignal.destination.dlt_patches.duckdb_pool import beside
from dlt_authsignal.destination.dlt_patches.fixed_cost import (
    already_synced,
    before_loading,
    rare_garbage_collection,
    resolved_once,
    short_turns,
)
from dlt_authsignal.destination.dlt_patches.libpq import OF_LIBPQ, leave_to_libpq
from dlt_authsignal.destination.dlt_patches.local_bucket import make_private_bucket
from dlt_authsignal.destination.dlt_patches.replaced import check_signature

__all__ = [
    "LIMIT",
    "OF_LIBPQ",
    "THREADS",
    "adapt_dlt",
    "adapt_running_pipeline",
    "already_synced",
    "before_loading",
    "beside",
    "check_signature",
    "dataset_of",
    "end_with_message",
    "is_anothers",
    "is_ours",
    "leave_to_libpq",
    "make_private_bucket",
    "merges_directly",
    "offer_defaults",
    "rare_garbage_collection",
    "read_marked_settings",
    "remove_with",
    "replace_iceberg_merge",
    "resolved_once",
    "short_turns",
]
