"""Grade events: warnings of a failed course, term marks, grades.

A mark follows from the student's ability, the course, the share of its lessons that were missed, and the storyline's
strain. Thresholds are assumptions chosen so that about one in seven has a failed course at the end of a term.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

from deploy.demo.chance import Chance
from deploy.demo.school_calendar import local_time
from deploy.demo.storylines import Storyline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from deploy.demo.enrolments import Stay
    from deploy.demo.events import Event, Source
    from deploy.demo.programmes import Course
    from deploy.demo.storylines import Life

NO_BASIS_FROM = 0.5  # share of the course missed
FAILS_BELOW = 0.39
WARNED_BELOW = 0.42
SAFE_FROM = 0.44
BANDS = ((FAILS_BELOW, "E"), (0.48, "D"), (0.57, "C"), (0.67, "B"), (0.76, "A"))
CORRECTED, RETRACTED = 0.02, 0.004
SHORTEST_WARNED_TERM = 20
RECORDED_AT, CORRECTED_AT = time(16, 0), time(16, 20)


@dataclass(frozen=True, slots=True)
class Conferences:
    """School days of the term on which teachers look at all courses. Short terms have the last day only."""

    warn: frozenset[int]
    close: frozenset[int]
    grade: int

    @classmethod
    def of(cls, days: int) -> Conferences:
        """For a term of this many school days."""
        grade = max(0, days - 4)
        if days < SHORTEST_WARNED_TERM:
            return cls(frozenset(), frozenset(), grade)
        return cls(
            frozenset({days * 40 // 100, days * 65 // 100}), frozenset({days * 55 // 100, days * 80 // 100}), grade
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the gradebook: one student's course, looked at on one school day (counted from 0)."""

    stay: Stay
    course: Course
    day: int

    @property
    def key(self) -> tuple[int, str]:
        """Student and course."""
        return self.stay.student.number, self.course.code


@dataclass
class Gradebook:
    """The marks of all students; call `on` once for each school day, in order, after its attendance.

    `missed` are minutes missed and scheduled so far by student and course, kept up to date by the attendance register.
    """

    seed: int
    source: Source
    days: list[date]
    lives: list[Life]
    stays: list[Stay]
    missed: dict[tuple[int, str], list[int]]

    def __post_init__(self) -> None:
        self._conferences = Conferences.of(len(self.days))
        self._warned: set[tuple[int, str]] = set()
        self._later: dict[int, list[Event]] = {}
        first_unit = self.stays[0].school_class.unit
        others = (stay.school_class.unit for stay in self.stays if stay.school_class.unit != first_unit)
        self._unit_by_national_id = next(others, None)

    def on(self, day: int) -> list[Event]:
        """What is recorded in the gradebook on this school day."""
        events: list[Event] = []
        conferences = self._conferences
        if day in conferences.warn or day in conferences.close or day == conferences.grade:
            for stay in self.stays:
                if stay.covers(day):
                    for course in stay.school_class.courses:
                        events += self._look_at(Entry(stay, course, day))
        return events + self._later.pop(day, [])

    def _look_at(self, entry: Entry) -> Iterator[Event]:
        standing, warned = self._standing(entry), entry.key in self._warned
        if entry.day == self._conferences.grade:
            if warned:
                yield self._event(entry, "warning", "closed")
            yield from self._grade(entry, standing)
        elif entry.day in self._conferences.warn and standing < WARNED_BELOW and not warned:
            self._warned.add(entry.key)
            yield self._event(entry, "warning", "open")
        elif entry.day in self._conferences.close and standing >= SAFE_FROM and warned:
            self._warned.remove(entry.key)
            yield self._event(entry, "warning", "closed")

    def _standing(self, entry: Entry) -> float:
        life = self.lives[entry.stay.student.number]
        talent = Chance(self.seed, "talent", *entry.key).bell() - 0.5
        stress = 0.12 if life.storyline is Storyline.EXAM_STRESS else 0.08
        return life.ability + 0.35 * talent - 0.6 * self._missed_share(entry) - stress * life.strain(entry.day)

    def _missed_share(self, entry: Entry) -> float:
        missed, scheduled = self.missed.get(entry.key, (0, 0))
        return missed / scheduled if scheduled else 0.0

    def _grade(self, entry: Entry, standing: float) -> Iterator[Event]:
        kind, mark = "final" if entry.course.final else "term", self._mark(entry, standing)
        yield self._event(entry, kind, mark)
        chance = Chance(self.seed, "slips", *entry.key)
        if chance.happens(CORRECTED) and mark in {"E", "D", "C", "B"} and not entry.course.diploma_project:
            self._revise(entry, kind, chr(ord(mark) - 1), "recorded")
        elif chance.happens(RETRACTED):
            self._revise(entry, kind, mark, "retracted")

    def _mark(self, entry: Entry, standing: float) -> str:
        if self._missed_share(entry) >= NO_BASIS_FROM:
            return "-"
        if standing < FAILS_BELOW:
            return "F"
        if entry.course.diploma_project:
            return "E"
        return [mark for floor, mark in BANDS if standing >= floor][-1]

    def _revise(self, entry: Entry, kind: str, mark: str, state: str) -> None:
        """A correction, two school days later, of what was said in the entry."""
        due = min(entry.day + 2, len(self.days) - 1)
        event = self._event(entry, kind, mark, state=state, corrected=due)
        self._later.setdefault(due, []).append(event)

    def _event(
        self, entry: Entry, kind: str, value: str, *, state: str = "recorded", corrected: int | None = None
    ) -> Event:
        school_class, course, today = entry.stay.school_class, entry.course, self.days[entry.day]
        recorded = (
            local_time(today, RECORDED_AT) if corrected is None else local_time(self.days[corrected], CORRECTED_AT)
        )
        data: dict[str, Any] = {
            "school_unit": school_class.unit,
            "course": course.code,
            "name": course.name,
            "subject": course.subject,
            "curriculum": school_class.curriculum,
            "credits": course.credits,
            "required": course.required,
            "diploma_project": course.diploma_project,
            "kind": kind,
            "value": value,
            "recorded_on": today.isoformat(),
            "state": state,
        }
        recorded += timedelta(seconds=entry.stay.student.number % 900)
        reference = self._reference(entry.stay)
        return self.source.event("grade.recorded", reference, recorded, f"{course.code} {kind}", data)

    def _reference(self, stay: Stay) -> str:
        """The gradebook knows students by other references than the attendance register: one unit's by national id."""
        unprotected = self.lives[stay.student.number].protected_from is None
        if stay.school_class.unit == self._unit_by_national_id and unprotected:
            return f"civic:{stay.student.national_id}"
        return stay.student.ss12000
