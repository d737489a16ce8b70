"""ALL_TABLES: every table with data of Authsignal, whether an API, a webhook or a comparison of reads filled it."""

from typing import Final

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES
from dlt_authsignal.schema.tables.histories import HISTORIES
from dlt_authsignal.schema.tables.server import TABLES

ALL_TABLES: Final[dict[str, Table]] = {**TABLES, **HISTORIES, **EVENT_TABLES, EVENT_FILES.name: EVENT_FILES}
