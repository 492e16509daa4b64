"""The level of prevention, folded day by day over the scores: stable against noise, quick when it matters.

A level rises when the score stands at or above the threshold on two consecutive days with facts, or at once on a jump
of 20 points; it falls when the score has been 8 points below the threshold for 10 of them.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.events import Level

THRESHOLDS = ((25, Level.TARGETED), (50, Level.INDIVIDUAL))
RISE_DAYS = 2
RISE_AT_ONCE_POINTS = 20
FALL_MARGIN_POINTS = 8
FALL_DAYS = 10


class Standing(NamedTuple):
    """Where a student stands at the end of a day.

    `above` and `below` count, for each threshold, the consecutive days at or above it and the days clearly below it, up
    to the number that matters.
    """

    rank: int = 0
    score: int = 0
    above: tuple[int, int] = (0, 0)
    below: tuple[int, int] = (0, 0)

    @property
    def level(self) -> Level:
        """The rank as a level."""
        return Level.UNIVERSAL if self.rank == 0 else THRESHOLDS[self.rank - 1][1]


def step(before: Standing, score: int) -> Standing:
    """The standing after one more day with facts."""
    jump = score - before.score >= RISE_AT_ONCE_POINTS
    above = tuple(_count(before.above[n], score >= threshold, RISE_DAYS) for n, (threshold, _) in enumerate(THRESHOLDS))
    below = tuple(
        _count(before.below[n], score <= threshold - FALL_MARGIN_POINTS, FALL_DAYS)
        for n, (threshold, _) in enumerate(THRESHOLDS)
    )
    rank = before.rank
    while rank and below[rank - 1] >= FALL_DAYS:
        rank -= 1
    for n in range(rank, len(THRESHOLDS)):
        if above[n] >= RISE_DAYS or (jump and above[n]):
            rank = n + 1
    return Standing(rank, score, (above[0], above[1]), (below[0], below[1]))


def _count(before: int, holds: bool, limit: int) -> int:
    return min(before + 1, limit) if holds else 0
