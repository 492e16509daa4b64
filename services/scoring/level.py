"""A level folded day by day over a score: stable against noise, quick when it matters.

It rises when the score stands at or above a threshold on some consecutive days with facts, or at once on a jump; it falls
when the score has been clearly below the threshold for a longer run of them. Students' levels of prevention and groups'
signals are folded by the same rule.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.events import Level

LEVELS = (Level.UNIVERSAL, Level.TARGETED, Level.INDIVIDUAL)
"""By rank."""


class Stability(NamedTuple):
    """The rule. Days are days with facts; `fall_margin` is in the unit of the score."""

    thresholds: tuple[float, ...]
    rise_days: int
    rise_at_once: float
    fall_margin: float
    fall_days: int


class Standing(NamedTuple):
    """The level at the end of a day.

    `rank`: how many thresholds it has risen over. `above` and `below` count, for each threshold, the consecutive days
    at or above it and the days clearly below it, up to the number that matters.
    """

    rank: int = 0
    score: float = 0
    above: tuple[int, ...] = (0, 0)
    below: tuple[int, ...] = (0, 0)

    @property
    def level(self) -> Level:
        """The rank as a level of prevention."""
        return LEVELS[self.rank]


def step(before: Standing, score: float, rule: Stability) -> Standing:
    """The standing after one more day with facts."""
    thresholds, rise_days, rise_at_once, margin, fall_days = rule
    rank, last, above_before, below_before = before
    above: list[int] = []
    below: list[int] = []
    for threshold, up, down in zip(thresholds, above_before, below_before, strict=True):
        above.append(0 if score < threshold else up + 1 if up < rise_days else up)
        below.append(0 if score > threshold - margin else down + 1 if down < fall_days else down)
    while rank and below[rank - 1] >= fall_days:
        rank -= 1
    jump = score - last >= rise_at_once
    for n in range(rank, len(thresholds)):
        if above[n] >= rise_days or (jump and above[n]):
            rank = n + 1
    return Standing(rank, score, tuple(above), tuple(below))
