"""The rows of the KPI views, recomputed in Python from plain dictionaries: another way to the same numbers."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

Json = dict[str, Any]
Key = tuple[str, str, date | None, str, str]
"""Measure, grain, start of the period, dimension, value of the dimension."""

Figures = dict[Key, tuple[float | None, float | None]]
Case = tuple[str, date, int, dict[str, str]]
"""Measure, day, hit, dimensions."""

PERIODS = ("all", "month", "week", "day")
SIGN_INS = ("signIn", "logIn")
ERRORS = ("NOT_DELIVERED", "INVALID_OR_EXPIRED", "MAX_ATTEMPTS_EXCEEDED", "RATE_LIMIT_EXCEEDED", "DOWNSTREAM_FAILED")


def start(grain: str, day: date) -> date | None:
    """Return the first day of the period."""
    return {
        "all": None,
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
    }[grain]


def keys(measure: str, day: date, dimensions: dict[str, str], *, has_total: bool = True) -> Iterator[Key]:
    for grain in PERIODS:
        if has_total:
            yield measure, grain, start(grain, day), "all", "all"
        for name, value in dimensions.items():
            yield measure, grain, start(grain, day), name, value


def ratios(cases: Iterable[Case], *, has_total: bool = True) -> Figures:
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for measure, day, hit, dimensions in cases:
        for key in keys(measure, day, dimensions, has_total=has_total):
            found[key][0] += hit
            found[key][1] += 1
    return {key: (hits, count) for key, (hits, count) in found.items()}


def wilson(hits: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927), in its textbook form."""
    z, share = 1.959963984540054, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


class Oracle:
    """Computes what is expected.

    Args:
        attempts: Attempts as `kpi_tenant.make` returns them.
        steps: Steps of their challenges.
        rules: Rows of the table rules.
        passkeys: When each user's verified passkeys were created.
        read_at: When the API was read.
        until: The first day that is not completely loaded.
    """

    def __init__(
        self,
        attempts: list[Json],
        steps: list[Json],
        rules: list[Json],
        passkeys: dict[str, list[datetime]],
        read_at: datetime,
        until: date,
    ) -> None:
        self._attempts = [self._seen(each, read_at) for each in attempts if each["api"] or each["event"]]
        self._by_key = {each["key"]: each for each in self._attempts}
        self._steps, self._rules, self._passkeys, self._until = steps, rules, passkeys, until

    @staticmethod
    def _seen(attempt: Json, read_at: datetime) -> Json:
        """The state that changed last, of both sources; of equal ones, the API's."""
        api, event = attempt["api"], attempt["event"]
        final = event if api is None or (event and event["updated"] > api["updated"]) else api
        agent = attempt["agent"] if api else None
        outcome = attempt["outcome"] if event else None
        method = final["method"] or (api or {}).get("method") or (event or {}).get("method")
        return {
            **attempt,
            "state": final["state"],
            "updated": final["updated"],
            "method": method,
            "day": attempt["created"].date(),
            "reported": event is not None,
            "challenged": outcome == "CHALLENGE" if outcome else final["state"].startswith("CHALLENGE"),
            "mature": event is not None or attempt["created"] <= read_at - timedelta(minutes=10),
            "outcome": outcome,
            "place": {
                "action_code": attempt["code"],
                "country_code": attempt["country"] or "unknown",
                "os": agent[0] if agent else "unknown",
                "browser": agent[1] if agent else "unknown",
            },
        }

    def _cases(self, measure: str, where: Any, hit: Any, *, by_method: bool = False) -> Figures:
        return ratios(
            (
                measure,
                each["day"],
                int(hit(each)),
                {**each["place"], **({"verification_method": each["method"] or "unknown"} if by_method else {})},
            )
            for each in self._attempts
            if where(each)
        )

    def passkey_usage_rate(self) -> Figures:
        return self._cases(
            "passkey",
            lambda each: each["state"] == "CHALLENGE_SUCCEEDED" and each["code"] in SIGN_INS,
            lambda each: each["method"] == "PASSKEY",
        )

    def passkey_usage_among_able(self) -> Figures:
        return self._cases(
            "passkey",
            lambda each: (
                each["state"] == "CHALLENGE_SUCCEEDED"
                and each["code"] in SIGN_INS
                and each["reported"]
                and "PASSKEY" in (each["allowed"] or [])
                and "PASSKEY" in (each["enrolled"] or [])
            ),
            lambda each: each["method"] == "PASSKEY",
        )

    def passkey_success_rate(self) -> Figures:
        started = {step["attempt"]["key"] for step in self._steps if step["method"] == "PASSKEY"}
        return self._cases(
            "succeeded",
            lambda each: each["key"] in started and each["mature"],
            lambda each: each["state"] == "CHALLENGE_SUCCEEDED",
        )

    def challenge_success_rate(self) -> Figures:
        return self._cases(
            "succeeded",
            lambda each: each["challenged"] and each["mature"],
            lambda each: each["state"] == "CHALLENGE_SUCCEEDED",
            by_method=True,
        )

    def drop_off_rate(self) -> Figures:
        return self._cases(
            "abandoned",
            lambda each: each["challenged"] and each["mature"],
            lambda each: each["state"] == "CHALLENGE_REQUIRED",
        )

    def error_rate(self) -> Figures:
        failed = {
            step["attempt"]["key"] for step in self._steps if step["error"] or any(e in step["type"] for e in ERRORS)
        }
        return self._cases(
            "error",
            lambda each: each["challenged"] and each["mature"] and each["reported"],
            lambda each: each["key"] in failed or each["state"] == "CHALLENGE_FAILED",
        )

    def fallback_rate(self) -> Figures:
        def way(each: Json) -> str | None:
            if each["state"] != "CHALLENGE_SUCCEEDED" or each["method"] in (None, "PASSKEY"):
                return None
            if "PASSKEY" not in (each["enrolled"] or []):
                return "no passkey"
            return "chose otherwise" if "PASSKEY" in each["allowed"] else "not offered"

        found: Figures = {}
        for measure in ("any", "no passkey", "not offered", "chose otherwise"):
            found |= self._cases(
                measure,
                lambda each: each["challenged"] and each["mature"] and each["reported"] and each["allowed"],
                lambda each, measure=measure: way(each) is not None if measure == "any" else way(each) == measure,
                by_method=True,
            )
        return found

    def seconds_to_authenticate(self) -> Figures:
        lasted: dict[Key, list[float]] = defaultdict(list)
        for each in self._attempts:
            if each["state"] == "CHALLENGE_SUCCEEDED":
                place = {**each["place"], "verification_method": each["method"] or "unknown"}
                for key in keys("", each["day"], place):
                    lasted[key].append((each["updated"] - each["created"]) / timedelta(seconds=1))
        found: Figures = {}
        for key, seconds in lasted.items():
            for measure, share in {"p25": 0.25, "p50": 0.5, "p90": 0.9, "p95": 0.95}.items():
                rank = share * (len(seconds) - 1)
                low, ordered = math.floor(rank), sorted(seconds)
                high = min(low + 1, len(seconds) - 1)
                value = ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
                found[(measure, *key[1:])] = value, len(seconds)
        return found

    def challenge_and_block_rate(self) -> Figures:
        def cases() -> Iterator[Case]:
            for each in self._attempts:
                rule = each["fired"][0] if each["reported"] and each["fired"] else "unknown"
                place = {**each["place"], "rule": rule}
                yield "challenged", each["day"], int(each["challenged"]), place
                yield "blocked", each["day"], int((each["outcome"] or each["state"]) == "BLOCK"), place

        return ratios(cases())

    def rule_effectiveness(self) -> Figures:
        ends = {
            "succeeded": "CHALLENGE_SUCCEEDED",
            "failed": "CHALLENGE_FAILED",
            "abandoned": "CHALLENGE_REQUIRED",
        }

        def cases() -> Iterator[Case]:
            for each in self._attempts:
                for rule in self._rules:
                    if each["reported"] and rule["action_code"] == each["code"]:
                        name = {"rule": f"{rule['action_code']}: {rule['name']}"}
                        fired = rule["rule_id"] in each["fired"]
                        yield "fired", each["day"], int(fired), name
                        if fired:
                            yield "decided", each["day"], int(each["fired"][0] == rule["rule_id"]), name
                        if fired and each["challenged"] and each["mature"]:
                            for measure, state in ends.items():
                                yield measure, each["day"], int(each["state"] == state), name

        return ratios(cases(), has_total=False)

    def otp_funnel(self) -> Figures:
        found: dict[tuple[str, str], list[Json]] = defaultdict(list)
        for step in self._steps:
            if step["method"] != "PASSKEY":
                found[step["attempt"]["key"], step["method"]].append(step)

        def cases() -> Iterator[Case]:
            for (key, channel), steps in found.items():
                sent = [step["at"] for step in steps if step["type"].endswith("_SENT") and not step["error"]]
                if not sent:
                    continue
                types = {step["type"] for step in steps if not step["error"]}
                attempt = self._by_key[key]
                phones = {"+41791234567": "CH", "+12125550123": "US", None: "unknown"}
                place = {
                    "channel": channel,
                    "action_code": attempt["code"],
                    "country_code": attempt["country"] or "unknown",
                    "phone_country": min(phones[step["phone"]] for step in steps),
                }
                day = min(sent).date()
                yield "entered", day, int(any(name.endswith("_CODE_VALID") for name in types)), place
                if "SMS_DELIVERED" in types or "SMS_NOT_DELIVERED" in {step["type"] for step in steps}:
                    yield "delivered", day, int("SMS_DELIVERED" in types), place

        return ratios(cases())

    def enrolment_rate(self) -> Figures:
        offers: dict[str, datetime] = {}
        for each in self._attempts:
            if (
                each["reported"]
                and each["state"] == "CHALLENGE_SUCCEEDED"
                and "PASSKEY" in (each["allowed"] or [])
                and "PASSKEY" not in (each["enrolled"] or [])
            ):
                offers[each["user"]] = min(offers.get(each["user"], each["created"]), each["created"])

        def cases() -> Iterator[Case]:
            for user, offered in offers.items():
                later = [at for at in self._passkeys.get(user, []) if at >= offered]
                yield "ever", offered.date(), int(bool(later)), {}
                if offered.date() + timedelta(days=30) < self._until:
                    in_time = bool(later) and min(later) <= offered + timedelta(days=30)
                    yield "30 days", offered.date(), int(in_time), {}

        return ratios(cases())

    def active_users(self) -> Figures:
        days: dict[str, set[date]] = defaultdict(set)
        for each in self._attempts:
            if each["state"] in ("ALLOW", "CHALLENGE_SUCCEEDED"):
                days[each["user"]].add(each["day"])
        every = [each["day"] for each in self._attempts]
        first, last = min(every), min(max(every), self._until - timedelta(days=1))
        found: Figures = {}
        for measure, length in {"in a day": 1, "in 7 days": 7, "in 30 days": 30}.items():
            seen = False
            for offset in range(length - 1, (last - first).days + 1):
                day = first + timedelta(days=offset)
                window = {day - timedelta(days=back) for back in range(length)}
                count = sum(bool(active & window) for active in days.values())
                for grain in PERIODS:  # a later day of the same period replaces an earlier one
                    found[measure, grain, start(grain, day), "all", "all"] = count, None
                seen = seen or count > 0
        return found

    def recoveries(self) -> Figures:
        found: Figures = {}
        for grain in ("all", "month"):
            groups: dict[date | None, list[Json]] = defaultdict(list)
            for each in self._attempts:
                if each["reported"]:
                    groups[start(grain, each["day"])].append(each)
            for period, group in groups.items():
                span = (max(each["day"] for each in group) - min(each["day"] for each in group)).days + 1
                active = {each["user"] for each in group if each["state"] in ("ALLOW", "CHALLENGE_SUCCEEDED")}
                used = [e for e in group if e["method"] == "RECOVERY_CODE" and e["state"] == "CHALLENGE_SUCCEEDED"]
                found["recoveries", grain, period, "all", "all"] = len(used) * 365 / span, len(active)
        return found
