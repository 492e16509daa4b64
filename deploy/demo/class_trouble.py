"""A class that worsens together: trouble among all its students, which nobody's own storyline explains.

Most of them feel less safe, then come late, skip lessons and stay at home, each of them a little; until the school works with
the whole class. Truth like the storylines: no event names it. The numbers are assumptions, chosen so that the class stands
out beside the rest of its school unit while hardly any student does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.demo.chance import Chance
from deploy.demo.presence import PRESENT, Presence
from deploy.demo.storylines import Storyline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.demo.authority import SchoolClass, Student
    from deploy.demo.presence import Lesson
    from deploy.demo.storylines import Life

BEGINS = 0.7
"""Of the term: so late that its end is not forgotten when the term ends."""
PACE = 10
"""School days from the beginning to the full trouble."""
HELPED_AFTER = 20
"""School days, about four weeks, from the beginning until general work in the class begins."""
WORK_DAYS = 20
"""School days that the work takes until the class is as before."""
SHORTEST_TERM = 50
"""School days: in a shorter one nothing would be left to compare with."""
LEAST_STABLE = 6
"""Students with an ordinary term that a class must have, so that what happens to it is not the sum of single lives."""
LEAST_OTHERS = 5
"""Students of the same unit in other classes."""

# Chances on a day of full trouble, of a student who takes an average part in it.
STAYS_HOME = 0.04
SKIPS = 0.045
COMES_LATE = 0.07


@dataclass(frozen=True, slots=True)
class ClassTrouble:
    """The trouble of one class of a unit. Days count school days of the term from 0."""

    unit: str
    group: str
    onset: int
    helped: int

    def strain(self, day: int) -> float:
        """How far it has gone on this day: 0 nothing to notice, 1 all the way."""
        if day < self.onset:
            return 0.0
        reached = min(1.0, (min(day, self.helped) - self.onset) / PACE)
        return reached * max(0.0, 1 - max(0, day - self.helped) / WORK_DAYS)

    def spend_day(
        self, spent: Sequence[Presence], lessons: Sequence[Lesson], strain: float, chance: Chance
    ) -> list[Presence]:
        """A day of one of its students, from what it would have been without: only lessons attended in time can change.

        `chance`: the student's own for this, so that the days of all others stay as they are without any trouble.
        """
        if chance.happens(STAYS_HOME * strain):
            return [Presence(excused=lesson.minutes) for lesson in lessons]
        return [
            one if one is not PRESENT else self._attend(lesson, strain, chance)
            for one, lesson in zip(spent, lessons, strict=True)
        ]

    @staticmethod
    def _attend(lesson: Lesson, strain: float, chance: Chance) -> Presence:
        skips, late, minutes = (
            chance.happens(SKIPS * strain),
            chance.happens(COMES_LATE * strain),
            chance.between(2, 10),
        )
        if skips:
            return Presence(unexcused=lesson.minutes)
        return Presence(unexcused=minutes, late=True) if late else PRESENT


def part_in_trouble(seed: int, number: int) -> float:
    """How much of a class's trouble a student takes: 0.6 to 1.4, mostly near 1."""
    return 0.6 + 0.8 * Chance(seed, "part in trouble", number).bell()


def class_trouble(students: Iterable[Student], lives: Sequence[Life], forgetful: str, days: int) -> ClassTrouble | None:
    """The trouble of the class with most students who have an ordinary term; nothing where no unit has two classes that are
    large enough.

    It is none of the `forgetful` unit, where missing registers would hide it, unless there is no other.
    """
    classes: dict[str, SchoolClass] = {}
    sizes: Counter[str] = Counter()
    ordinary: Counter[str] = Counter()
    for student in students:
        one = student.school_class
        classes[one.code] = one
        sizes.update((one.code, one.unit))
        ordinary[one.code] += lives[student.number].storyline is Storyline.STABLE

    def others(code: str) -> int:
        return sizes[classes[code].unit] - sizes[code]

    def order(code: str) -> tuple[bool, float, str]:
        return classes[code].unit == forgetful, -ordinary[code] / sizes[code], code

    possible = [code for code in classes if ordinary[code] >= LEAST_STABLE and others(code) >= LEAST_OTHERS]
    if not possible or days < SHORTEST_TERM:
        return None
    code, onset = min(possible, key=order), int(days * BEGINS)
    return ClassTrouble(classes[code].unit, code, onset, onset + HELPED_AFTER)
