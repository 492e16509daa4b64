"""Versioned facts of one student.

Of the versions of one fact the one of highest precedence is valid (`shared.events.precedence`), so that every replica and every
order of arrival ends with the same facts. A retraction is a version like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from shared.events import AttendanceState
from shared.events.places import Place

REGISTERED = AttendanceState.REGISTERED.value
UNREGISTERED = AttendanceState.UNREGISTERED.value


class Lesson(NamedTuple):
    """One version of what is known of a student in one lesson. Minutes are scheduled minutes of this student.

    `starts_at`: minutes from the beginning of the school day's date in UTC; below 0 for one soon after a midnight further east.
    """

    revision: int
    digest: str
    state: str
    minutes: int
    excused: int
    unexcused: int
    late: bool
    school_unit: str
    starts_at: int

    @property
    def content(self) -> tuple[object, ...]:
        """What it says, whichever version it is."""
        return self[2:]


class Mark(NamedTuple):
    """One version of a mark or warning. `value` is None when retracted.

    `critical`: a diploma needs this very course (Swedish, English, mathematics where required, the diploma project).
    `subject`: of a level of Gy25, what its levels have in common; empty for courses of Gy11. `replaces`: courses that it makes
    up for when it is a passed grade. Both as they are `bounds.compared`.
    """

    revision: int
    digest: str
    value: str | None
    credits: int
    critical: bool
    subject: str = ""
    replaces: tuple[str, ...] = ()
    school_unit: str = ""

    @property
    def content(self) -> tuple[object, ...]:
        """What it says of the course, whichever version it is; one taken back says nothing."""
        return self[2:7] if self.value is not None else ()


@dataclass(frozen=True, slots=True)
class LessonFact:
    """A lesson's version with its key. `day` is a day number (`date.toordinal`)."""

    day: int
    lesson: str
    version: Lesson

    @property
    def key(self) -> tuple[object, ...]:
        """What its versions have in common."""
        return "lesson", self.day, self.lesson


@dataclass(frozen=True, slots=True)
class MarkFact:
    """A mark's version with its key. `recorded_on` is a day number."""

    course: str
    kind: str
    recorded_on: int
    version: Mark

    @property
    def key(self) -> tuple[object, ...]:
        """What its versions have in common."""
        return "mark", self.course, self.kind, self.recorded_on


@dataclass(frozen=True, slots=True)
class PlaceFact:
    """A place's version, which holds its key."""

    version: Place

    @property
    def key(self) -> tuple[object, ...]:
        """What its versions have in common."""
        return "place", *self.version.key


Fact = LessonFact | MarkFact | PlaceFact


def rank(fact: Fact) -> tuple[int, str, int]:
    """Of two versions of one fact the one that ranks higher is valid, at equal ranks they are the same."""
    if isinstance(fact, PlaceFact):
        return fact.version.precedence
    return fact.version.revision, fact.version.digest, 0


def day_number(day: date) -> int:
    """A date as the day number that the core computes with."""
    return day.toordinal()
