"""From a student's life to a school day: where the student was, lesson by lesson."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING

from deploy.demo.chance import Chance
from deploy.demo.storylines import Storyline

if TYPE_CHECKING:
    from deploy.demo.authority import SchoolClass
    from deploy.demo.programmes import Course
    from deploy.demo.storylines import Life

SLOTS = (
    (time(8, 20), 60),
    (time(9, 30), 70),
    (time(10, 50), 60),
    (time(12, 40), 60),
    (time(13, 50), 70),
    (time(15, 10), 50),
)
"""When the lessons of a day begin, local time, and how many minutes they take."""
LONG_DAYS = 3
"""School days of the week with six lessons; the others have five."""

# Chances of an ordinary school day, of any student.
REPORTED_HALF_DAY = 0.008
ORDINARY_LATE = 0.012
ORDINARY_SKIP = 0.002
DOCTOR = 0.006


@dataclass(frozen=True, slots=True)
class Lesson:
    """A place in a class's week."""

    slot: int
    course: Course
    last_of_day: bool

    @property
    def starts_at(self) -> time:
        """Local time."""
        return SLOTS[self.slot][0]

    @property
    def minutes(self) -> int:
        """Scheduled."""
        return SLOTS[self.slot][1]

    @property
    def at_an_end_of_the_day(self) -> bool:
        """First or last: the lessons that are missed first."""
        return self.slot == 0 or self.last_of_day


@dataclass(frozen=True, slots=True)
class Presence:
    """Minutes of absence in one lesson, as the school would judge them; never why."""

    excused: int = 0
    unexcused: int = 0
    late: bool = False


PRESENT = Presence()


def timetable(seed: int, school_class: SchoolClass) -> tuple[tuple[Lesson, ...], ...]:
    """The week of a class, Monday to Friday: five or six lessons a day, no course twice a day."""
    chance = Chance(seed, "timetable", school_class.code)
    long_days = set(chance.shuffled(range(5))[:LONG_DAYS])
    week = []
    for weekday in range(5):
        count = 6 if weekday in long_days else 5
        courses = chance.shuffled(school_class.courses)[:count]
        week.append(tuple(Lesson(slot, course, slot == count - 1) for slot, course in enumerate(courses)))
    return tuple(week)


def spend_day(life: Life, day: int, lessons: tuple[Lesson, ...], chance: Chance) -> list[Presence]:
    """Where the student was on school day `day`, in the order of the lessons."""
    strain = life.strain(day)
    if day in life.ill or _stays_home(life, day, strain, chance):
        return [Presence(excused=lesson.minutes) for lesson in lessons]
    if _stays_away(life, strain, chance):
        return [Presence(unexcused=lesson.minutes) for lesson in lessons]
    leaves_after = chance.between(1, 4) if chance.happens(REPORTED_HALF_DAY) else len(SLOTS)
    return [
        Presence(excused=lesson.minutes) if lesson.slot >= leaves_after else _attend(life, strain, lesson, chance)
        for lesson in lessons
    ]


def _stays_home(life: Life, day: int, strain: float, chance: Chance) -> bool:
    """At home and reported as ill: the body in stress, or a cover that home gives to drifting away."""
    drifting = life.storyline in {Storyline.DRIFTING, Storyline.RECOVERY}
    return chance.happens(0.45 if day in life.exam_days else 0.12 * strain if drifting else 0.0)


def _stays_away(life: Life, strain: float, chance: Chance) -> bool:
    drifting = life.storyline in {Storyline.DRIFTING, Storyline.RECOVERY}
    return chance.happens(0.4 * strain * strain if drifting else 0.0)


def _attend(life: Life, strain: float, lesson: Lesson, chance: Chance) -> Presence:
    skips, late = _pull(life, strain, lesson)
    if chance.happens(skips):
        return Presence(unexcused=lesson.minutes)
    if chance.happens(late):
        return Presence(unexcused=chance.between(3, 20), late=True)
    if chance.happens(DOCTOR):
        return Presence(excused=chance.between(3, 5) * 10)
    return PRESENT


def _pull(life: Life, strain: float, lesson: Lesson) -> tuple[float, float]:
    """Chances of missing the lesson without a reason, and of coming late."""
    if life.storyline in {Storyline.DRIFTING, Storyline.RECOVERY}:
        missed = (0.35 if lesson.at_an_end_of_the_day else 0.12) * strain
        # Lateness comes first and shows before anything is missed.
        return ORDINARY_SKIP + missed, ORDINARY_LATE + 0.25 * min(1.0, 2 * strain)
    if lesson.course.code == life.contested_course:
        return ORDINARY_SKIP + 0.75 * strain, ORDINARY_LATE + 0.1 * strain
    return ORDINARY_SKIP, ORDINARY_LATE * (2 if lesson.slot == 0 else 1)
