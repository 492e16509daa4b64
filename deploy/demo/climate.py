"""Climate reports as a school's survey system sends them: every fourth week a few questions, answered without a name.

Each student has a steady view of the school; a hard time of one's own, and trouble in the class, lower it. What leaves the
survey system are means of a class or unit, from five answers up, and none from which the answers of fewer could be told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Any

from deploy.demo.chance import Chance
from deploy.demo.class_trouble import part_in_trouble
from deploy.demo.school_calendar import local_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime

    from deploy.demo.class_trouble import ClassTrouble
    from deploy.demo.enrolments import Stay
    from deploy.demo.events import Event, Source
    from deploy.demo.storylines import Life

EVERY_WEEKS = 4
MIN_ANSWERS = 5
DIMENSIONS = ("safety", "inclusion", "relations")
LOWEST, HIGHEST = 1, 5

ANSWERS = 0.85
"""Of the students answer in the week."""
UPSIDE_DOWN = 0.1
"""Of the reports have one question counted from the wrong end at first; they are sent again some school days later."""
QUESTIONS = 4
"""In each dimension."""
TAKEN_BACK = 0.02
"""Of the reports, as late: the wrong class had been asked, say."""

USUAL = 4.0
SPREAD = 1.2
"""Between students; the middle two thirds of them lie within a third of it."""
MOOD = 0.8
"""Of one answer, in the same way."""
OWN_STRAIN = 0.8
CLASS_STRAIN = 1.6
FELT_EARLIER = 2.0
"""What lessons show later is felt earlier, by this factor."""

CLOSED_AT, CORRECTED_AT = time(15, 30), time(10, 0)

Answer = tuple[int, ...]
"""One student's answers on the dimensions, 1 worst to 5 best."""


@dataclass
class ClimateSurvey:
    """The survey over the term; call `on` once for each school day, in order."""

    seed: int
    source: Source
    days: list[date]
    lives: list[Life]
    stays: list[Stay]
    trouble: ClassTrouble | None

    def __post_init__(self) -> None:
        self._later: dict[int, list[Event]] = {}
        self._closing = _closing_days(self.days)

    def on(self, day: int) -> list[Event]:
        """The reports of the survey that closes on this school day, and corrections of earlier ones."""
        return [*(self._reports(day) if day in self._closing else ()), *self._later.pop(day, ())]

    def _reports(self, day: int) -> list[Event]:
        answers: dict[str, list[Answer]] = defaultdict(list)
        classes: dict[str, set[str]] = defaultdict(set)
        for stay in self.stays:
            chance = Chance(self.seed, "climate", day, stay.student.number)
            if stay.covers(day) and chance.happens(ANSWERS):
                unit, group = f"unit:{stay.school_class.unit}", f"group:{stay.school_class.code}"
                classes[unit].add(group)
                answer = self._answer(stay, day, chance)
                answers[unit].append(answer)
                answers[group].append(answer)
        return [self._report(subject, day, answers[subject]) for subject in tellable(answers, classes)]

    def _report(self, subject: str, day: int, answers: list[Answer]) -> Event:
        """The report as it is sent first; what is wrong with it is put right later in the term."""
        chance = Chance(self.seed, "climate reports", day, subject)
        is_wrong, is_taken_back = chance.happens(UPSIDE_DOWN), chance.happens(TAKEN_BACK)
        due, dimension = day + chance.between(1, 5), chance.choice(DIMENSIONS)
        means = {
            name: round(sum(answer[place] for answer in answers) / len(answers), 2)
            for place, name in enumerate(DIMENSIONS)
        }
        data = {"answers": len(answers), "state": "recorded", **means}
        closed = local_time(self.days[day], CLOSED_AT)
        if due >= len(self.days) or not (is_wrong or is_taken_back):
            return self._event(subject, day, data, closed)
        right = {**data, "state": "retracted"} if is_taken_back else data
        corrected = self._event(subject, day, right, local_time(self.days[due], CORRECTED_AT))
        self._later.setdefault(due, []).append(corrected)
        off = (LOWEST + HIGHEST - 2 * means[dimension]) / QUESTIONS if is_wrong else 0
        return self._event(subject, day, {**data, dimension: round(means[dimension] + off, 2)}, closed)

    def _answer(self, stay: Stay, day: int, chance: Chance) -> Answer:
        number = stay.student.number
        level = USUAL + SPREAD * (Chance(self.seed, "view of school", number).bell() - 0.5)
        level -= OWN_STRAIN * self.lives[number].strain(day)
        if self.trouble and self.trouble.group == stay.school_class.code:
            felt = min(1.0, FELT_EARLIER * self.trouble.strain(day))
            level -= CLASS_STRAIN * felt * part_in_trouble(self.seed, number)
        return tuple(_on_scale(level + MOOD * (chance.bell() - 0.5)) for _ in DIMENSIONS)

    def _event(self, subject: str, day: int, data: dict[str, Any], recorded: datetime) -> Event:
        year, week, _ = self.days[day].isocalendar()
        period = f"{year}-W{week:02d}"
        return self.source.event("climate.reported", subject, recorded, period, {"period": period, **data})


def _closing_days(days: list[date]) -> frozenset[int]:
    """The last school days of every fourth school week, from the third on: the first weeks of a term say little."""
    weeks: dict[tuple[int, int], int] = {}
    for number, day in enumerate(days):
        weeks[day.isocalendar()[:2]] = number
    return frozenset(list(weeks.values())[2::EVERY_WEEKS])


def tellable(answers: Mapping[str, Sequence[Answer]], classes: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Subjects that a report may speak of; `classes` are those of each unit.

    A unit's mean is held back where subtracting those of its classes would tell what one to four students have answered.
    """
    told = []
    for unit, groups in classes.items():
        alone = [group for group in sorted(groups) if len(answers[group]) >= MIN_ANSWERS]
        rest = len(answers[unit]) - sum(len(answers[group]) for group in alone)
        told += alone
        if len(answers[unit]) >= MIN_ANSWERS and not 0 < rest < MIN_ANSWERS:
            told.append(unit)
    return told


def _on_scale(level: float) -> int:
    return max(LOWEST, min(HIGHEST, int(level + 0.5)))
