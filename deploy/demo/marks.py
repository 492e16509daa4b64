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
        return cls(frozenset({days * 40 // 100, days * 65 // 100}), frozenset({days * 55 // 100, days * 80 // 100}), grade)


class Gradebook:
    """The marks of all students; call `on` once for each school day, in order, after its attendance."""

    def __init__(
        self,
        seed: int,
        source: Source,
        days: list[date],
        lives: list[Life],
        stays: list[Stay],
        missed: dict[tuple[int, str], list[int]],
    ) -> None:
        self._seed, self._source, self._days = seed, source, days
        self._lives, self._stays, self._missed = lives, stays, missed
        self._conferences = Conferences.of(len(days))
        self._open: set[tuple[int, str]] = set()
        self._civic_unit = next((s.school_class.unit for s in stays if s.school_class.unit != stays[0].school_class.unit), "")
        self._later: dict[int, list[Event]] = {}

    def on(self, day: int) -> list[Event]:
        """What is recorded in the gradebook on this school day."""
        events = self._later.pop(day, [])
        conferences = self._conferences
        if day in conferences.warn or day in conferences.close or day == conferences.grade:
            for stay in self._stays:
                if stay.covers(day):
                    for course in stay.school_class.courses:
                        events += self._look_at(stay, course, day)
        return events

    def _look_at(self, stay: Stay, course: Course, day: int) -> Iterator[Event]:
        standing = self._standing(stay, course, day)
        key = (stay.student.number, course.code)
        if day == self._conferences.grade:
            if key in self._open:
                yield self._event(stay, course, day, "warning", "closed")
            yield from self._grade(stay, course, day, standing)
        elif day in self._conferences.warn and standing < WARNED_BELOW and key not in self._open:
            self._open.add(key)
            yield self._event(stay, course, day, "warning", "open")
        elif day in self._conferences.close and standing >= SAFE_FROM and key in self._open:
            self._open.remove(key)
            yield self._event(stay, course, day, "warning", "closed")

    def _standing(self, stay: Stay, course: Course, day: int) -> float:
        life = self._lives[stay.student.number]
        talent = Chance(self._seed, "talent", stay.student.number, course.code).bell() - 0.5
        stress = 0.12 if life.storyline is Storyline.EXAM_STRESS else 0.08
        return life.ability + 0.35 * talent - 0.6 * self._missed_share(stay, course) - stress * life.strain(day)

    def _missed_share(self, stay: Stay, course: Course) -> float:
        missed, scheduled = self._missed.get((stay.student.number, course.code), (0, 0))
        return missed / scheduled if scheduled else 0.0

    def _grade(self, stay: Stay, course: Course, day: int, standing: float) -> Iterator[Event]:
        kind = "final" if course.final else "term"
        mark = self._mark(stay, course, standing)
        yield self._event(stay, course, day, kind, mark)
        chance = Chance(self._seed, "slips", stay.student.number, course.code)
        if chance.happens(CORRECTED) and mark in {"E", "D", "C", "B"} and not course.diploma_project:
            self._revise(stay, course, day, kind, chr(ord(mark) - 1), "recorded")
        elif chance.happens(RETRACTED):
            self._revise(stay, course, day, kind, mark, "retracted")

    def _mark(self, stay: Stay, course: Course, standing: float) -> str:
        if self._missed_share(stay, course) >= NO_BASIS_FROM:
            return "-"
        if standing < FAILS_BELOW:
            return "F"
        if course.diploma_project:
            return "E"
        return [mark for floor, mark in BANDS if standing >= floor][-1]

    def _revise(self, stay: Stay, course: Course, day: int, kind: str, mark: str, state: str) -> None:
        """A correction two school days later of what was said on `day`."""
        due = min(day + 2, len(self._days) - 1)
        self._later.setdefault(due, []).append(self._event(stay, course, day, kind, mark, state=state, due=due))

    def _event(
        self, stay: Stay, course: Course, day: int, kind: str, value: str, *, state: str = "recorded", due: int | None = None
    ) -> Event:
        recorded = local_time(self._days[day if due is None else due], RECORDED_AT if due is None else CORRECTED_AT)
        data: dict[str, Any] = {
            "school_unit": stay.school_class.unit,
            "course": course.code,
            "name": course.name,
            "subject": course.subject,
            "curriculum": stay.school_class.curriculum,
            "credits": course.credits,
            "required": course.required,
            "diploma_project": course.diploma_project,
            "kind": kind,
            "value": value,
            "recorded_on": self._days[day].isoformat(),
            "state": state,
        }
        recorded += timedelta(seconds=stay.student.number % 900)
        return self._source.event("grade.recorded", self._reference(stay), recorded, f"{course.code} {kind}", data)

    def _reference(self, stay: Stay) -> str:
        """The gradebook knows students by other references than the attendance register: one unit's by national id."""
        life = self._lives[stay.student.number]
        if stay.school_class.unit == self._civic_unit and life.protected_from is None:
            return f"civic:{stay.student.national_id}"
        return stay.student.ss12000
