"""Stop signals of a command, however the system delivers them."""

import signal

import pytest

from tests.helpers import python

RECEIVED_BY_ANOTHER_THREAD = """
import signal, threading, time
from anyio import sleep
from anyio.from_thread import start_blocking_portal
from click.exceptions import Exit
from dlt_authsignal.cli.shell import stoppable

begun = threading.Event()

def receive():
    begun.wait()
    time.sleep(0.1)  # the main thread is about to wait
    for number in {signals}:
        signal.pthread_kill(threading.get_ident(), number)

threading.Thread(target=receive, daemon=True).start()
try:
    with stoppable("Nothing was changed.", patient={patient}), start_blocking_portal("asyncio") as portal:
        portal.call(begun.set)
        portal.call(sleep, 60)
except Exit as stopped:
    raise SystemExit(stopped.exit_code)
"""
INT, TERM = int(signal.SIGINT), int(signal.SIGTERM)


@pytest.mark.parametrize(("signals", "patient"), [([INT], False), ([TERM], False), ([INT, TERM, INT, TERM], True)])
def test_a_signal_that_another_thread_received_stops_the_command(signals: list[int], patient: bool) -> None:
    done = python("-c", RECEIVED_BY_ANOTHER_THREAD.format(signals=signals, patient=patient), timeout=60)
    assert (done.returncode, done.stderr.strip()) == (1, "Stopped. Nothing was changed.")
