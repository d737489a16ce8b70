"""KPIs about what users have: at the end of the day of the read."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.tenant.expected.tally import Answer, Answers, Tally, answer

DORMANT_AFTER: Final = timedelta(days=90)
WEAK: Final = {"SMS", "EMAIL_OTP", "EMAIL_MAGIC_LINK"}
RESISTANT: Final = {"PASSKEY", "SECURITY_KEY"}


class HoldingTallies:
    """Counts of users and their verified authenticators."""

    def __init__(self, at: datetime) -> None:
        self._today = at.date()
        self._users = 0
        self._having: Counter[str] = Counter()
        self._passkeys: Counter[str] = Counter()
        self._synced, self._dormant = Tally(), Tally()

    def add(self, verified: list[Authenticator]) -> None:
        methods = {value.verification_method for value in verified}
        passkeys = [value for value in verified if value.verification_method == "PASSKEY"]
        self._users += 1
        self._having.update(
            {
                "passkey": bool(passkeys),
                "one": len(methods) >= 1,
                "two": len(methods) >= 2,
                "resistant": bool(methods & RESISTANT),
                "weak": bool(methods) and methods <= WEAK,
                "second": len({_device(value) for value in passkeys}) >= 2,
            }
        )
        for value in passkeys:
            self._add_passkey(value)
        for value in verified:
            self._add_use(value)

    def _add_passkey(self, value: Authenticator) -> None:
        place = passkey_dimensions(value)
        self._passkeys.update(["passkeys / all", *(f"passkeys / {name} {kind}" for name, kind in place.items())])
        if value.credential:
            self._synced.add("synced", place, hit=value.credential.backed_up)

    def _add_use(self, value: Authenticator) -> None:
        method, used = {"verification_method": value.verification_method}, value.last_verified_at
        is_old = used is None or to_the_millisecond(used).date() + DORMANT_AFTER <= self._today
        self._dormant.add("dormant", method, hit=is_old)
        self._dormant.add("never used", method, hit=used is None)

    def answers(self) -> Answers:
        users, passkeys, having = self._users, self._passkeys["passkeys / all"], self._having
        return {
            "enrolment_coverage": _totals(users, users=having["passkey"]),
            "mfa_coverage": _totals(users, **{"one or more": having["one"], "two or more": having["two"]}),
            "phishing_resistant_coverage": _totals(
                users, **{"passkey or security key": having["resistant"], "only SMS or e-mail": having["weak"]}
            ),
            "passkey_inventory": {
                **{name: answer(count, passkeys) for name, count in self._passkeys.items()},
                **self._synced.answers(),
            },
            "dormant_authenticators": self._dormant.answers(),
            "passkeys_per_user": _totals(having["passkey"], passkeys=passkeys, **{"second device": having["second"]}),
        }

    def all_read(self) -> dict[str, Answer]:
        """Return the share of users who were not read for a while, after the first sync."""
        return _totals(self._users, **{"in 1 day": 0, "in 7 days": 0, "in 25 days": 0})


def passkey_dimensions(value: Authenticator) -> dict[str, str]:
    """Return the values of a passkey by dimension."""
    credential = value.credential
    agent = credential.agent if credential else {}
    return {
        "provider": (credential.provider if credential else None) or "unknown",
        "os": agent.get("os", {}).get("name") or "unknown",
        "browser": agent.get("browser", {}).get("name") or "unknown",
        "attachment": credential.attachment if credential else "unknown",
    }


def _device(value: Authenticator) -> str:
    return value.credential.device_id if value.credential else value.user_authenticator_id


def _totals(of: int, **counts: int) -> dict[str, Answer]:
    return {f"{measure} / all": answer(count, of) for measure, count in counts.items()} if of else {}
