"""The benchmark's events: what a school authority sends in its lessons, seeded, the same for every row."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.events import AnyEvent, AttendanceRecordedEvent, GradeRecordedEvent
from tests.builders import MONDAY, attendance, grade, pseudonym, school_days

LESSONS_A_DAY = 5
ABSENT_SHARE = 0.08


def events(students: int, total: int, seed: int = 1) -> Iterator[AttendanceRecordedEvent]:
    """Lesson by lesson, every student in each: the order in which registers come in."""
    rng = random.Random(seed)
    names = [pseudonym(f"bench-{n}") for n in range(students)]
    made = 0
    for day in school_days(MONDAY, total // (students * LESSONS_A_DAY) + 1):
        for lesson in range(LESSONS_A_DAY):
            for name in names:
                if made == total:
                    return
                absent = 60 if rng.random() < ABSENT_SHARE else 0
                yield attendance(name, day, lesson=str(lesson), unexcused=absent, received=datetime.now(UTC))
                made += 1


def alerting(number: int, received: datetime) -> GradeRecordedEvent:
    """A student of whom nothing else is known, brought to a higher level by one event.

    A required course of 300 credits graded F is 24 points for the credits and 8 for the diploma.
    """
    student = pseudonym(f"alert-{number}")
    return grade(student, MONDAY, value="F", points=300, required=True, received=received)


def strangers(count: int, seed: int = 1) -> Iterator[AnyEvent]:
    """Students that come by with a lesson each, half of them with a mark, and are not seen again."""
    rng = random.Random(seed)
    for number in range(count):
        student, now = pseudonym(f"stranger-{number}"), datetime.now(UTC)
        yield attendance(student, MONDAY, unexcused=60 if rng.random() < ABSENT_SHARE else 0, received=now)
        if rng.random() < 0.5:
            yield grade(student, MONDAY, value=rng.choice("ABCDEF"), received=now)
