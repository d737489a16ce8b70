"""The estimate of requests and time that `sync` prints before it reads."""

from dlt_authsignal.pipeline.wording import counted
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def estimate(meter: RunMetrics, rate: float | None) -> str:
    """Return the number of due users, the maximum number of requests, and the time at the maximum rate."""
    if not meter.users_due:
        return f"0 of {counted(meter.users_found, 'user')} are due."
    is_are = "is" if meter.users_due == 1 else "are"
    least = "" if meter.user_ids_complete else "At least "
    said = f"{least}{meter.users_due:,} of {counted(meter.users_found, 'user')} {is_are} due"
    said += f": up to {counted(meter.requests_due, 'request')}"
    if rate is None:
        return f"{said}, as fast as Authsignal accepts them."
    return f"{said}, {span(meter.requests_due / rate)} at {rate:g} a second."


def span(seconds: float) -> str:
    """Format a duration, rounded up, in the largest unit that gives at least two: `2 hours`, `45 seconds`."""
    size, unit = next((pair for pair in _SPANS if seconds >= 2 * pair[0]), _SPANS[-1])
    return counted(max(1, -int(-seconds // size)), unit)
