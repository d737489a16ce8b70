"""Distinguishes a server's limit from lone refusals, by how refusals are mixed with responses. Pure: only counts.

A limit that is clearly exceeded refuses most requests until its bucket or window has room again. A gateway that answers
429 now and then refuses a few in a hundred, at any rate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

RELIEF: Final = 0.15
"""Points that each response takes off the score. With fewer than 13 % refusals, the score falls in the long run."""

LIMIT_SCORE: Final = 3.5
"""Four refusals in a row, or more of them among responses. Higher scores cost a real limit more refusals."""

WINDOW: Final = 2000
"""Responses after which a refusal is forgotten."""

FEW: Final = 4
MORE: Final = 4
"""Refusals in the window that need an explanation; once they are known as lone ones, this many times as many."""

SLOWER: Final = 0.9
LEAST_TRIED: Final = 300
STILL: Final = 3
EXPECTED: Final = 8
"""A trial lasts for so many responses that 8 refusals are expected if they are lone ones. 3 show that they are."""

SHORTEST: Final = 1.0
"""Seconds between the first and the last of the refusals before a trial."""


@dataclass(kw_only=True)
class LoneRefusals:
    """Counts refusals that are not explained by a limit.

    A cumulative sum (CUSUM) recognises many refusals in a short time. Few refusals over a longer time may be lone ones,
    or a limit that is exceeded slightly: a `Trial` decides.
    """

    _score: float = 0.0
    _scored: int = 0
    _responses: int = 0
    _at: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _allowed: int = FEW

    @property
    def is_quiet(self) -> bool:
        """Whether the last responses show no lone refusals."""
        return not self._at and self._allowed == FEW

    def is_trial_due(self, now: float) -> bool:
        """Return whether there were more refusals than the last trial has explained, for long enough to measure."""
        return len(self._at) >= self._allowed and now - self._at[0][1] >= SHORTEST

    def trial(self, now: float, rate: float | None, lag: float) -> Trial:
        """Return a trial of the cause of these refusals, which begins after `lag` seconds."""
        responses, since = self._at[0]
        served = self._responses - responses
        return Trial(
            rate=rate,
            limit=served / (now - since),
            began=now + lag,
            responses=max(LEAST_TRIED, EXPECTED * served // len(self._at)),
        )

    def served(self) -> None:
        """Count a response."""
        self._responses += 1
        self._score = max(0.0, self._score - RELIEF)
        if not self._score:
            self._scored = 0
        while self._at and self._responses - self._at[0][0] > WINDOW:
            self._at.popleft()
        if not self._at:
            self._allowed = FEW

    def refused(self, now: float) -> bool:
        """Count a refusal; return whether there are so many that a limit causes them."""
        self._score, self._scored = self._score + 1, self._scored + 1
        self._at.append((self._responses, now))
        return self._score >= LIMIT_SCORE

    def explain(self) -> None:
        """Forget the refusals of the score: a limit caused them. Earlier ones stay unexplained."""
        while self._at and self._scored:
            self._at.pop()
            self._scored -= 1
        self._score, self._scored = 0.0, 0

    def explain_all(self) -> None:
        """Forget all refusals: a limit caused them."""
        self._score, self._scored = 0.0, 0
        self._at.clear()

    def accept(self) -> None:
        """Take the refusals as lone ones: only more of them need an explanation again."""
        self._allowed *= MORE


@dataclass(kw_only=True)
class Trial:
    """Some responses at a lower rate. A limit that was exceeded slightly no longer refuses; lone refusals continue.

    Attributes:
        rate: Requests per second before; None for no limit.
        limit: Responses per second since the first refusal: if there is a limit, that is what it lets pass.
        began: Time of its start. Requests sent before do not count.
        responses: Responses after which it ends.
    """

    rate: float | None
    limit: float
    began: float
    responses: int
    _served: int = 0
    _refused: int = 0

    def served(self) -> bool:
        """Count a response; return whether it shows that a limit caused the refusals before."""
        self._served += 1
        return self._served >= self.responses

    def refused(self, sent_at: float) -> bool:
        """Count a refusal; return whether it shows that no limit causes them."""
        self._refused += sent_at >= self.began
        return self._refused >= STILL
