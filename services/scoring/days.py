"""A school day of one student from its lessons: each minute once, however many registers tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from services.scoring.facts import REGISTERED, UNREGISTERED, Lesson

MIN_START = -(24 * 60)
"""No lesson begins earlier, in minutes from the beginning of its day in UTC."""


class Day(NamedTuple):
    """One school day of a student. A missing register is unknown: neither present nor absent."""

    day: int
    """Day number (`date.toordinal`)."""
    scheduled: int
    """Minutes with a register."""
    excused: int
    unexcused: int
    late: int
    """Lessons with late arrival."""
    unregistered: int
    """Scheduled minutes that no register tells of."""

    @property
    def is_fully_absent(self) -> bool:
        """Whether at least half of the minutes have a register and all of these are absence."""
        return self.excused + self.unexcused == self.scheduled and 0 < self.scheduled >= self.unregistered


class _Register(NamedTuple):
    """A lesson's minutes `start` to `end`: absent from `first` on, excused to `middle`, unexcused to `last`."""

    start: int
    end: int
    first: int
    middle: int
    last: int

    def holds(self, minute: int) -> bool:
        return self.start <= minute < self.end

    def is_present(self, minute: int) -> bool:
        return not self.first <= minute < self.last

    def is_unexcused(self, minute: int) -> bool:
        return self.middle <= minute < self.last

    def is_excused(self, minute: int) -> bool:
        return self.first <= minute < self.middle

    def is_around(self, other: _Register) -> bool:
        """Whether it is a longer register around the other."""
        return self.start <= other.start and other.end <= self.end and other.end - other.start < self.end - self.start


def sum_day(day: int, lessons: Iterable[Lesson]) -> Day | None:
    """The day's totals, or nothing when no lesson took place."""
    known: list[Lesson] = []
    scheduled = excused = unexcused = late = unregistered = 0
    until, are_in_order = MIN_START, True
    for lesson in lessons:
        _, _, state, minutes, excused_minutes, unexcused_minutes, is_late, _, starts_at = lesson
        if state == REGISTERED:
            scheduled += minutes
            excused += excused_minutes
            unexcused += unexcused_minutes
            late += is_late
        elif state == UNREGISTERED:
            unregistered += minutes
        else:
            continue
        known.append(lesson)
        are_in_order = are_in_order and starts_at >= until
        until = starts_at + minutes
    if not known:
        return None
    if not are_in_order and _overlap(known):
        registers = [_register(lesson) for lesson in known if lesson.state == REGISTERED]
        scheduled, excused, unexcused, unregistered = _once(known, registers)
    return Day(day, scheduled, excused, unexcused, late, unregistered)


def _overlap(lessons: Sequence[Lesson]) -> bool:
    times = sorted([(lesson.starts_at, lesson.starts_at + lesson.minutes) for lesson in lessons])
    return any(later[0] < earlier[1] for earlier, later in pairwise(times))


def _register(lesson: Lesson) -> _Register:
    """Absent minutes lie at the start of a lesson when the student was late, else at its end; the excused ones come first."""
    start, end = lesson.starts_at, lesson.starts_at + lesson.minutes
    first = start if lesson.late else end - lesson.excused - lesson.unexcused
    middle = first + lesson.excused
    return _Register(start, end, first, middle, middle + lesson.unexcused)


def _once(lessons: Sequence[Lesson], registers: Sequence[_Register]) -> tuple[int, int, int, int]:
    """Minutes with a register, excused, unexcused, without any register.

    Where registers disagree, presence counts more than absence, and excused absence more than unexcused. But unexcused absence in
    a lesson counts more than presence in a longer register around it: its teacher knows better than the register of the day.
    """
    edges = {edge for register in registers for edge in register}
    edges |= {edge for lesson in lessons for edge in (lesson.starts_at, lesson.starts_at + lesson.minutes)}
    scheduled = excused = unexcused = unknown = 0
    for start, end in pairwise(sorted(edges)):
        length = end - start
        held = [register for register in registers if register.holds(start)]
        if not held:
            took_place = any(one.starts_at <= start < one.starts_at + one.minutes for one in lessons)
            unknown += length if took_place else 0
            continue
        scheduled += length
        present = [register for register in held if register.is_present(start)]
        missed = [register for register in held if register.is_unexcused(start)]
        if any(not any(register.is_around(lesson) for lesson in missed) for register in present):
            continue
        if present or not any(register.is_excused(start) for register in held):
            unexcused += length
        else:
            excused += length
    return scheduled, excused, unexcused, unknown
