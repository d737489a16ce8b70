"""Counts by slice, and percentiles."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Answer = dict[str, float | None]
Answers = dict[str, dict[str, Answer]]

PERCENTILES: Final[Mapping[str, float]] = {"p25": 0.25, "p50": 0.5, "p90": 0.9, "p95": 0.95}


def answer(numerator: float | None, denominator: float | None) -> Answer:
    return {"numerator": numerator, "denominator": denominator}


def slices(measure: str, dimensions: Mapping[str, str]) -> list[str]:
    """Return the names of the slices that a case belongs to."""
    return [f"{measure} / all", *(f"{measure} / {name} {value}" for name, value in dimensions.items())]


@dataclass
class Tally:
    """`hits` of `cases` by slice. A slice exists from its first case."""

    hits: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)

    def add(self, measure: str, dimensions: Mapping[str, str], *, hit: int, cases: int = 1) -> None:
        for name in slices(measure, dimensions):
            self.cases[name] += cases
            self.hits[name] += hit

    def answers(self) -> dict[str, Answer]:
        return {name: answer(self.hits[name], cases) for name, cases in self.cases.items() if cases}


@dataclass
class Durations:
    """Milliseconds by slice."""

    found: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, dimensions: Mapping[str, str], milliseconds: int) -> None:
        for name in slices("", dimensions):
            self.found[name].append(milliseconds)

    def answers(self) -> dict[str, Answer]:
        return {
            f"{measure}{name}": answer(percentile(sorted(values), share) / 1000, len(values))
            for name, values in self.found.items()
            for measure, share in PERCENTILES.items()
        }


def percentile(ordered: list[int], share: float) -> float:
    """Return a percentile: between two values, in proportion."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
