"""Versioned facts of one student, and which version counts.

The highest revision wins, ties break on the digest of the content, so that every replica and every order of arrival
ends with the same facts. A retraction is a version like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from shared.events import AttendanceState, EnrolmentStatus

REGISTERED = AttendanceState.REGISTERED.value
UNREGISTERED = AttendanceState.UNREGISTERED.value


class Lesson(NamedTuple):
    """One version of what is known of a student in one lesson. Minutes are scheduled minutes of this student."""

    revision: int
    digest: str
    state: str
    minutes: int
    excused: int
    unexcused: int
    late: bool


class Mark(NamedTuple):
    """One version of a mark or warning. `value` is None when retracted. `recorded_on` is a day number (ordinal).

    `critical`: a diploma needs this very course (Swedish, English, mathematics where required, the diploma project).
    `subject`: of a level of Gy25, what its levels have in common; empty for courses of Gy11.
    """

    revision: int
    digest: str
    recorded_on: int
    value: str | None
    credits: int
    critical: bool
    subject: str = ""


class Place(NamedTuple):
    """One version of a place at a school unit. `status` is None when retracted."""

    revision: int
    digest: str
    status: str | None
    groups: tuple[str, ...]


class Day(NamedTuple):
    """One school day of a student. Minutes count registered lessons only: a missing register is unknown, not present."""

    day: int
    """Day number (`date.toordinal`)."""
    scheduled: int
    excused: int
    unexcused: int
    late: int
    """Lessons with late arrival."""
    unregistered: int
    """Lessons that took place without a register."""


@dataclass(frozen=True, slots=True)
class LessonFact:
    """A lesson's version with its key."""

    day: int
    lesson: str
    version: Lesson


@dataclass(frozen=True, slots=True)
class MarkFact:
    """A mark's version with its key."""

    course: str
    kind: str
    version: Mark


@dataclass(frozen=True, slots=True)
class PlaceFact:
    """A place's version with its key. `starts_on` is a day number."""

    school_unit: str
    starts_on: int
    version: Place


Fact = LessonFact | MarkFact | PlaceFact


def sum_day(day: int, lessons: Iterable[Lesson]) -> Day | None:
    """The day's totals, or nothing when no lesson took place."""
    scheduled = excused = unexcused = late = unregistered = 0
    for _, _, state, minutes, excused_minutes, unexcused_minutes, is_late in lessons:
        if state == REGISTERED:
            scheduled += minutes
            excused += excused_minutes
            unexcused += unexcused_minutes
            late += is_late
        elif state == UNREGISTERED:
            unregistered += 1
    if not scheduled and not unregistered:
        return None
    return Day(day, scheduled, excused, unexcused, late, unregistered)


def current_place(places: Mapping[tuple[str, int], Place]) -> tuple[str, Place] | None:
    """The school unit where the student is now (or was last): active before ended, then the latest start."""
    candidates = [(key, place) for key, place in places.items() if place.status is not None]
    if not candidates:
        return None
    (unit, _), place = max(
        candidates, key=lambda item: (item[1].status != EnrolmentStatus.ENDED, item[0][1], item[0][0])
    )
    return unit, place


def day_number(day: date) -> int:
    """A date as the day number that the core computes with."""
    return day.toordinal()
