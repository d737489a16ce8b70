"""Documents that were not computed: every kind of card, hostile names, and what happens without data."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from dlt_authsignal.dashboard.page import (
    Chart,
    Choices,
    Definition,
    Document,
    Filters,
    Mark,
    Number,
    Page,
    Point,
    Section,
    Series,
    SourceTime,
    Table,
)

FIRST = date(2026, 9, 21)
DAYS = 42
HOSTILE = "<script>document.title='taken'</script>"
LONG = "a-very-long-action-code-" * 12
FORMULA = '=HYPERLINK("http://example.invalid","Click")'

TITLES = (
    ("overview", "Overview"),
    ("adoption", "Adoption"),
    ("funnel", "Sign-in funnel"),
    ("reliability", "Reliability and OTP cost"),
    ("changes", "Configuration changes"),
    ("security", "Security"),
    ("trust", "Data trust"),
)

DEFINITIONS = {
    "challenge_success_rate": Definition(
        name="challenge_success_rate",
        title="Challenge success rate",
        question="What share of the challenged attempts succeeded?",
        facts={
            "population": "Attempts that were challenged: by their outcome in events, otherwise by their state.",
            "numerator": "Those in state CHALLENGE_SUCCEEDED.",
            "denominator": "All of them.",
            "window": "By the day on which the attempt began, in UTC.",
        },
        sql="select count(*) filter (where state = 'CHALLENGE_SUCCEEDED') as numerator, count(*) as denominator\n"
        "from attempts\nwhere state like 'CHALLENGE%' and 1 < 2",
    ),
    "seconds_to_authenticate": Definition(
        name="seconds_to_authenticate",
        title="Time to authenticate",
        question="How long does a successful challenge take?",
        facts={"population": "Attempts whose challenge succeeded."},
        sql="select quantile_cont(seconds, 0.5) from attempts",
    ),
}


def days(level: float, swing: float = 0.04, *, count: int = DAYS, of: int = 240) -> tuple[Point, ...]:
    """Ratios of consecutive days, the last of them incomplete."""
    points = []
    for place in range(count):
        value = level + swing * math.sin(place / 3.1) + swing * 0.6 * math.cos(place * 1.7)
        margin = 1.96 * math.sqrt(max(value * (1 - value), 0.0) / of)
        points.append(
            Point(
                label=(FIRST + timedelta(days=place)).isoformat(),
                value=value,
                low=max(value - margin, 0.0),
                high=min(value + margin, 1.0),
                numerator=round(value * of),
                denominator=of,
                is_complete=place < count - 1,
            )
        )
    return tuple(points)


def scaled(points: tuple[Point, ...], by: float) -> tuple[Point, ...]:
    """Other values of the same course."""
    return tuple(
        Point(label=point.label, value=round(by * (point.value or 0.0), 1), is_complete=point.is_complete)
        for point in points
    )


def ratio(value: float, of: int, *, margin: float = 0.01) -> Point:
    """A ratio with its interval."""
    return Point(
        label="all",
        value=value,
        low=value - margin,
        high=value + margin,
        numerator=round(value * of),
        denominator=of,
    )


def numbers() -> tuple[Number, ...]:
    """Every unit, direction and verdict; one number is missing, one has no value."""
    success = "challenge_success_rate"
    return (
        Number(
            title="Challenge success rate",
            point=ratio(0.8237, 9_842),
            before=ratio(0.7911, 9_100),
            unit="ratio",
            better="up",
            trend=Series(name="by day", points=days(0.82)),
            definition=success,
        ),
        Number(
            title="Drop-off rate",
            point=ratio(0.1834, 9_842),
            before=ratio(0.1402, 9_100),
            unit="ratio",
            better="down",
            trend=Series(name="by day", points=days(0.18, 0.03)),
            definition=success,
            ignores=("method",),
        ),
        Number(
            title="Median time to authenticate",
            point=Point(label="all", value=19.4, denominator=7_021),
            before=Point(label="all", value=21.0, denominator=6_800),
            unit="seconds",
            better="down",
            trend=Series(name="by day", points=scaled(days(0.97), 20)),
            definition="seconds_to_authenticate",
            note="Percentiles of slices do not add up.",
        ),
        Number(
            title="Passkey coverage",
            point=ratio(0.358, 500, margin=0.042),
            before=ratio(0.349, 500, margin=0.041),
            unit="ratio",
            better="up",
            definition=success,
        ),
        Number(
            title="Active users in 30 days",
            point=Point(label="all", value=12_373, is_complete=False),
            before=Point(label="all", value=12_373),
            unit="count",
        ),
        Number(title="OTP spend", point=Point(label="all", value=1_234.5), unit="money"),
        Number(title="Passkeys per user", point=Point(label="all", value=1.42), unit="per user"),
        Number(
            title="Fallback rate",
            point=None,
            unit="ratio",
            needs="Receive events with dlt-authsignal receive, then run dlt-authsignal events load.",
            definition=success,
        ),
        Number(title="Nothing counted", point=Point(label="all", value=None), unit="ratio"),
    )


def charts() -> tuple[Chart, ...]:
    """Every kind of chart."""
    success = "challenge_success_rate"
    return (
        Chart(
            kind="line",
            title="Challenge success by day",
            caption="82.4% of challenged attempts succeeded; the lowest day was 1 October with 74.1%.",
            series=(Series(name="Succeeded", points=days(0.8)),),
            unit="ratio",
            marks=(
                Mark(day=FIRST + timedelta(days=14), label="Rule Block sign-ins from other countries was added"),
                Mark(day=FIRST + timedelta(days=23), label=HOSTILE, href="/changes#changes-1"),
            ),
            definition=success,
        ),
        Chart(
            kind="line",
            title="Time to authenticate by method",
            caption="Half of the sign-ins with a passkey take at most 6.9 s.",
            series=tuple(
                Series(name=name, points=scaled(days(1.0, 0.1), at))
                for name, at in (("PASSKEY", 7), ("EMAIL_OTP", 29), ("SMS", 24), ("AUTHENTICATOR_APP", 14))
            ),
            unit="seconds",
            definition="seconds_to_authenticate",
        ),
        Chart(
            kind="stack",
            title="Successful sign-ins by method",
            caption="PASSKEY grew from 30% to 41%.",
            series=tuple(
                Series(name=name, points=scaled(days(1.0, 0.12), at))
                for name, at in (("PASSKEY", 92), ("EMAIL_OTP", 60), ("SMS", 41))
            ),
            unit="count",
        ),
        Chart(
            kind="funnel",
            title="Sign-in funnel",
            caption="Of 12,400 challenges, 9,842 succeeded.",
            series=(
                Series(
                    name="Attempts",
                    points=tuple(
                        Point(label=label, value=value)
                        for label, value in (
                            ("Challenged", 12_400.0),
                            ("Method started", 11_312.0),
                            ("Verified", 10_020.0),
                            ("Succeeded", 9_842.0),
                        )
                    ),
                ),
            ),
            unit="count",
            ignores=("country",),
        ),
        Chart(
            kind="bar",
            title="Drop-off by action",
            caption="signIn loses 19.0% of its challenges.",
            series=(
                Series(
                    name="Abandoned",
                    points=(
                        Point(label="signIn", value=0.19, low=0.17, high=0.21, numerator=361, denominator=1_898),
                        Point(label=HOSTILE, value=0.12, low=0.08, high=0.17, numerator=31, denominator=258),
                        Point(label=LONG, value=0.05, low=0.02, high=0.09, numerator=8, denominator=160),
                        Point(label=FORMULA, value=None),
                    ),
                ),
            ),
            unit="ratio",
            definition=success,
        ),
        Chart(kind="line", title="No points", caption="There is nothing yet.", series=(), unit="ratio"),
        Chart(
            kind="line",
            title="Error rate",
            caption="",
            series=(),
            unit="ratio",
            needs="Receive events with dlt-authsignal receive, then run dlt-authsignal events load.",
        ),
    )


def tables() -> tuple[Table, ...]:
    """Text, times, numbers; hostile ones; and one table without rows."""
    now = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    return (
        Table(
            title="Largest changes",
            caption="What moved most since the period before.",
            columns=("Action", "Since", "Abandoned", "Attempts", "=Note"),
            units=("text", "time", "ratio", "count", "text"),
            rows=(
                ("signIn", now, 0.19, 1_898, "Android 14"),
                (HOSTILE, now.date(), 0.12, 258, FORMULA),
                (LONG, now, None, 160, "-1+1"),
            ),
        ),
        Table(title="Detections", caption="Nothing was detected.", columns=("Rule",), units=("text",), rows=()),
    )


def example() -> Document:
    """A document with every kind of card."""
    cards = Page(
        key="overview",
        title="Overview",
        intro="Do passkeys work, and where do sign-ins break?",
        sections=(
            Section(title="At a glance", intro="Are sign-ins better than before?", cards=numbers()),
            Section(title="Over time", intro="When did it change?", cards=(*charts(), *tables())),
        ),
    )
    others = (
        Page(
            key=key, title=title, intro="Another page.", sections=(Section(title=title, intro="", cards=numbers()[:2]),)
        )
        for key, title in TITLES[1:]
    )
    return Document(
        dataset="authsignal_data",
        destination="duckdb",
        made_at=datetime(2026, 11, 2, 9, 20, tzinfo=UTC),
        sources=(
            SourceTime(name="API", at=datetime(2026, 11, 2, 9, 17, tzinfo=UTC), state="ok"),
            SourceTime(
                name="Events", at=None, state="missing", detail="Set up the receiver: dlt-authsignal init --events."
            ),
            SourceTime(
                name="Configuration", at=datetime(2026, 10, 30, 4, 0, tzinfo=UTC), state="late", detail="3 days old."
            ),
        ),
        check="Passed 2 hours ago: 500 users, none missing.",
        check_state="ok",
        version="0.1.0",
        filters=Filters(),
        choices=Choices(
            first_day=FIRST,
            last_day=FIRST + timedelta(days=DAYS - 1),
            actions=("signIn", "payment", HOSTILE, LONG),
            methods=("PASSKEY", "EMAIL_OTP", "SMS"),
            countries=("NZ", "AU"),
        ),
        pages=(cards, *others),
        titles=TITLES,
        definitions=DEFINITIONS,
    )


def without_data() -> Document:
    """The document of a dataset in which nothing was loaded."""
    full = example()
    first = Page(
        key="overview",
        title="Overview",
        intro="Do passkeys work?",
        sections=(Section(title="At a glance", intro="", cards=(numbers()[7],)),),
    )
    sources = tuple(replace(source, at=None, state="missing") for source in full.sources)
    return replace(
        full,
        sources=sources,
        check="No check has run.",
        check_state="missing",
        choices=Choices(),
        pages=(first,),
        titles=TITLES[:1],
        definitions={},
    )
