"""Imports everything once, and forks a receiver for each line of standard input: PORT and the spool's URL.

It writes the process id of each receiver. Only so can a test kill a hundred of them in a minute.
"""

import os
import signal
import sys

from dlt_authsignal.receiver import app, serve
from dlt_authsignal.receiver.http import connection
from dlt_authsignal.source.config.event_settings import resolved_event_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.events.envelopes import envelopes_of
from dlt_authsignal.spool import folder, object_store, parquet
from tests.receivers import KEY, PATH

IMPORTED = (app, connection, envelopes_of, folder, object_store, parquet)


def receive(port: int, spool: str) -> None:
    source = SourceSettings(api_secret_key=KEY, privacy="keep")
    settings = resolved_event_settings(source=source, spool=spool, path=PATH)
    made = app.make_app(settings, source, tenants=None, limits=None, load=None)
    serve.server(made).run(sockets=[serve.listen("127.0.0.1", port)])


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
    for line in sys.stdin:
        port, spool = line.split()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            receive(int(port), spool)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
