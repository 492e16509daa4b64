"""The registers and warnings of many students together, by day and over windows of a group's school days."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import add
from typing import NamedTuple

from services.scoring.courses import Timeline


class Sums(NamedTuple):
    """What registers sum up to; unregistered lessons are not in it. `registers`: students on days with a register."""

    scheduled: int = 0
    absent: int = 0
    unexcused: int = 0
    late: int = 0
    registers: int = 0

    def __sub__(self, other: Sums) -> Sums:
        """What is left without a part of it."""
        return Sums(*[whole - part for whole, part in zip(self, other, strict=True)])


NOTHING = Sums()
Daily = Mapping[int, Sums]
"""Sums by day number; days without any register are absent."""


class Member(NamedTuple):
    """A student with an active place, as signals see one. Days are day numbers.

    `registers`: of the student's last school days. `courses`: how they stood, empty for one who never had a warning.
    `fresh_until`: newest day with a register, 0 for none.
    """

    id: str
    groups: tuple[str, ...]
    starts_on: int
    fresh_until: int
    registers: Daily
    courses: Timeline


def open_warnings(courses: Timeline, day: int) -> int:
    """Courses with an open warning on a day."""
    position = bisect_right(courses, day, key=lambda change: change[0])
    return courses[position - 1][1].warned if position else 0


@dataclass(slots=True)
class Party:
    """The current students of a group or a school unit, summed up."""

    members: list[Member] = field(default_factory=list)
    by_day: dict[int, Sums] = field(default_factory=dict)
    _warnings: dict[int, int] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        """One more student."""
        self.members.append(member)
        self._warnings.clear()
        by_day = self.by_day
        for day, sums in member.registers.items():
            known = by_day.get(day)
            by_day[day] = sums if known is None else Sums._make(map(add, known, sums))

    def school_days(self, least: int) -> list[int]:
        """Days on which at least half of the students, and at least so many, had a register; in order."""
        half = len(self.members) / 2
        return sorted(day for day, sums in self.by_day.items() if sums.registers >= least and sums.registers >= half)

    def warnings(self, day: int) -> int:
        """Open warnings of all students on a day."""
        if day not in self._warnings:
            self._warnings[day] = sum(open_warnings(member.courses, day) for member in self.members if member.courses)
        return self._warnings[day]

    def daily_without(self, part: Party, days: Iterable[int], least: int) -> dict[int, Sums]:
        """The sums of all others than the students of a part, of those days on which at least so many had a register."""
        rest = {day: self.by_day.get(day, NOTHING) - part.by_day.get(day, NOTHING) for day in days}
        return {day: sums for day, sums in rest.items() if sums.registers >= least}


def party(members: Iterable[Member]) -> Party:
    """Students together."""
    made = Party()
    for member in members:
        made.add(member)
    return made


class Running:
    """Running totals over some days in order, so that any window of them is two look-ups."""

    __slots__ = ("_columns",)

    def __init__(self, days: Sequence[int], daily: Daily) -> None:
        rows = [daily.get(day, NOTHING) for day in days]
        self._columns = [list(accumulate(column, initial=0)) for column in zip(*rows, strict=True)]

    def between(self, start: int, end: int) -> Sums:
        """The sums of the days from position `start` up to before `end`."""
        return Sums._make([column[end] - column[start] for column in self._columns])
