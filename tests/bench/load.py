"""The benchmark's events: what a school authority sends in its lessons, seeded, the same for every row."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.events import AttendanceRecordedEvent
from tests.builders import MONDAY, attendance, pseudonym, school_days

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
