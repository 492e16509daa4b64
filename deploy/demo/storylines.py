"""What happens in the students' lives: the hidden causes behind absence and marks.

A storyline is truth, not data: no event ever carries it. It only bends the chances of being ill, late or away, day by
day. All numbers are assumptions chosen so that the resulting levels look like a school's; none is evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from deploy.demo.chance import Chance

if TYPE_CHECKING:
    from deploy.demo.authority import Student


class Storyline(StrEnum):
    """One line for each student and term."""

    STABLE = "stable"
    """An ordinary term: a cold, a dentist, a missed bus."""
    ILLNESS = "illness"
    """Ill again and again, for a week or more at a time."""
    DRIFTING = "drifting"
    """Slowly away: late arrivals, then first and last lessons, then days; many leave in the end."""
    CONFLICT = "conflict"
    """Away from one course, because of somebody there; present elsewhere."""
    EXAM_STRESS = "exam_stress"
    """Days at home in the weeks of big tests; marks that are worse than the knowledge."""
    RECOVERY = "recovery"
    """Drifting, until somebody notices and helps."""
    MOVES = "moves"
    """Moves to another school unit of the authority, or away from it where there is only one."""


# The first students, in shuffled order, get one line each, so that also a small school has all of them; the rest follow
# these weights, which give about one in four a term that somebody could notice.
EACH_ONCE = (
    Storyline.DRIFTING,
    Storyline.RECOVERY,
    Storyline.CONFLICT,
    Storyline.MOVES,
    Storyline.ILLNESS,
    Storyline.EXAM_STRESS,
)
WEIGHTS = (
    (Storyline.STABLE, 74.0),
    (Storyline.ILLNESS, 6.0),
    (Storyline.DRIFTING, 6.0),
    (Storyline.CONFLICT, 4.0),
    (Storyline.EXAM_STRESS, 4.0),
    (Storyline.RECOVERY, 5.0),
    (Storyline.MOVES, 1.0),
)


@dataclass(frozen=True, slots=True)
class Life:
    """One student's term. Days count school days of the term from 0; None: does not happen."""

    storyline: Storyline
    ability: float
    """Of the courses' demands, 0 to 1, before absence takes its part."""
    onset: int | None = None
    pace: int = 1
    """School days from the onset to the full strain."""
    helped: int | None = None
    leaves: int | None = None
    leaves_because: str | None = None
    protected_from: int | None = None
    contested_course: str | None = None
    ill: frozenset[int] = field(default_factory=frozenset)
    exam_days: frozenset[int] = field(default_factory=frozenset)

    def strain(self, day: int) -> float:
        """How far the storyline has gone on this day: 0 nothing to notice, 1 all the way."""
        if self.onset is None or day < self.onset:
            return 0.0
        if self.helped is None or day < self.helped:
            return min(1.0, (day - self.onset) / self.pace)
        reached = min(1.0, (self.helped - self.onset) / self.pace)
        # Three weeks from help to an ordinary life again.
        return max(0.0, reached * (1 - (day - self.helped) / 15))


def live(seed: int, students: tuple[Student, ...], days: int) -> list[Life]:
    """Everybody's term of this many school days, in the order of the students."""
    order = Chance(seed, "storylines").shuffled(range(len(students)))
    lines: dict[int, Storyline] = {}
    for place, number in enumerate(order):
        chance = Chance(seed, "storyline", number)
        lines[number] = EACH_ONCE[place] if place < len(EACH_ONCE) else chance.weighted(WEIGHTS)
    # Protected identity has nothing to do with the storyline: one from the first day, in larger schools one from
    # the middle of the term.
    protected = {order[-1]: 0}
    if len(order) > 2 * len(EACH_ONCE):
        protected[order[-2]] = days // 2
    return [_life(seed, student, lines[student.number], days, protected.get(student.number)) for student in students]


def _life(seed: int, student: Student, line: Storyline, days: int, protected_from: int | None) -> Life:
    chance = Chance(seed, "life", student.number)
    ability = 0.36 + 0.5 * chance.bell()
    onset = int(days * (0.08 + 0.3 * chance.share()))
    pace = chance.between(12, 18) if line is Storyline.RECOVERY else chance.between(20, 40)
    leaves: int | None = None
    because: str | None = None
    if line is Storyline.DRIFTING and chance.happens(0.6):
        leaves, because = onset + pace + chance.between(10, 25), "drifted away from school"
    elif line is Storyline.MOVES:
        leaves, because = int(days * (0.35 + 0.3 * chance.share())), "family moved"
    elif line is Storyline.CONFLICT and chance.happens(0.2):
        leaves, because = onset + chance.between(30, 45), "unresolved conflict"
    if leaves is not None and leaves >= days:
        leaves = because = None
    strained = line in {Storyline.DRIFTING, Storyline.RECOVERY, Storyline.CONFLICT, Storyline.EXAM_STRESS}
    return Life(
        storyline=line,
        ability=ability,
        onset=onset if strained else None,
        pace=chance.between(5, 12) if line is Storyline.CONFLICT else pace,
        helped=onset + pace + chance.between(0, 8) if line is Storyline.RECOVERY else None,
        leaves=leaves,
        leaves_because=because,
        protected_from=protected_from,
        contested_course=chance.choice(student.school_class.courses).code if line is Storyline.CONFLICT else None,
        ill=frozenset(_ill_days(chance, line, days)),
        exam_days=frozenset(_exam_days(chance, days) if line is Storyline.EXAM_STRESS else ()),
    )


def _ill_days(chance: Chance, line: Storyline, days: int) -> set[int]:
    """School days at home, reported as ill: short spells for everybody, long ones on the illness storyline."""
    ill: set[int] = set()
    often = line is Storyline.ILLNESS
    for _ in range(chance.between(3, 5) if often else chance.weighted(((0, 3.0), (1, 4.0), (2, 2.0), (3, 1.0)))):
        length = chance.between(4, 9) if often else chance.between(1, 4)
        start = chance.between(0, max(0, days - 1))
        ill.update(day for day in range(start, start + length) if day < days)
    return ill


def _exam_days(chance: Chance, days: int) -> set[int]:
    """Two periods of big tests, around a half and nine tenths of the term, of eight school days each."""
    return {
        day
        for share in (0.5, 0.88)
        for day in range(int(days * share), min(days, int(days * share) + 8))
        if chance.happens(0.8)
    }
