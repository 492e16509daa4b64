"""Reads module AAA of the Open University Learning Analytics Dataset (OULAD) as events.

Source: Kuzilek, Hlosta, Zdrahal: Scientific Data 4:170171, CC BY 4.0; columns as in the data set's own description, with
clicks summed to one row per student and day (`studentDay.csv`). The choices made here:

- **Calendar.** Days count from the start of a presentation, and ingest takes facts of the last year only. So both
  presentations are shifted, side by side: day 0 is the latest Sunday from which the longer one ends by `until`. A Sunday,
  because days 0 and 6 of the data's week are its quietest. Weekdays follow the shifted calendar, holidays are not taken out.
  Whoever imports into the same database again gives the same `until`: another one makes other school days of the same data.
- **School units.** Each presentation (2013J, 2014J) is a school unit with groups of 30 students and a coach each, who are
  synthetic and say so. A student of both presentations is one person.
- **Enrolment** begins on day 0 or the later day of registration, and ends (`left`) on the day of unregistration. Who
  unregistered before day 0 gets an enrolment that ended on day 0. Registered students who are not in the data are not made up.
- **Attendance.** Each weekday of the presentation is one lesson of 60 minutes, since the data know days, not hours: present
  with a row in `studentDay.csv`, else absent. This is a proxy: nobody must log in daily. Absence is *excused*, because
  "unexcused" is a school's judgement and nobody made it here.
- **Grades.** Each piece of work with a date is a `course` of its own; its credits are its weight in the module. Its mark
  is a `term` mark: below 40 F (the data set's own pass mark), from 40 E, 55 D, 70 C, 80 B, 90 A. Not handed in on its
  date: a warning opens the next day and closes when it is handed in. Banked marks, brought along from an earlier
  presentation, are left out, as is the exam, which has no date.
- **Sex, region, education, deprivation, age and disability** are never read: of `studentInfo.csv` only the outcome is, for
  the truth, which is in no event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deploy.demo.events import DayOfEvents, Event, Source
from deploy.demo.oulad_tables import MODULE, Enrolled, Tables, Work, read_tables
from deploy.demo.school_calendar import SATURDAY, local_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

AUTHORITY = "2480"
SYSTEM = "oulad"
LESSON_MINUTES = 60
PASS_MARK = 40
BANDS = ((0, "F"), (PASS_MARK, "E"), (55, "D"), (70, "C"), (80, "B"), (90, "A"))
LESSON_AT, REGISTERED_AT, MARKED_AT, WARNED_AT, STAFF_AT = time(9, 0), time(20, 0), time(21, 0), time(7, 0), time(6, 0)


def band(score: float) -> str:
    """The mark for a score from 0 to 100."""
    return [mark for floor, mark in BANDS if score >= floor][-1]


@dataclass(frozen=True)
class Oulad:
    """The data set as days of events; `days` may be iterated more than once."""

    source: Source
    first_day: date
    tables: Tables
    expected_rejections: int = 0

    @property
    def days(self) -> Days:
        """Day by day: staff and the enrolments of day 0 first."""
        return Days(self)

    @cached_property
    def total_events(self) -> int:
        """How many events `days` holds; counted by generating them once."""
        return sum(len(day.events) for day in self.days)

    @property
    def length(self) -> int:
        """Days of the longest presentation."""
        return max(self.tables.lengths.values())

    @cached_property
    def truth(self) -> tuple[dict[str, Any], ...]:
        """The outcome of each enrolment, for evaluation afterwards; in no event."""
        return tuple(
            {
                "references": [one.reference],
                "school_unit": unit_name(one.presentation),
                "final_result": self.tables.outcomes.get((one.presentation, one.student)),
                "left_on": None if one.left is None else self.date_of(one.left).isoformat(),
            }
            for one in self.tables.enrolled
        )

    def date_of(self, day: int) -> date:
        """The shifted date of a day of the presentations."""
        return self.first_day + timedelta(days=day)


@dataclass(frozen=True, slots=True)
class Days:
    """The days of the data set, made while they are read."""

    oulad: Oulad

    def __iter__(self) -> Iterator[DayOfEvents]:
        """From day 0 on, without the days on which nothing is to be said."""
        oulad = self.oulad
        at_first = [_enrolment(oulad, one, -1, ended=False) for one in oulad.tables.enrolled if one.first == 0]
        yield DayOfEvents(oulad.date_of(-1), [*_staff(oulad), *at_first])
        for day in range(oulad.length):
            events = list(_on(oulad, day))
            if events:
                yield DayOfEvents(oulad.date_of(day), events)


def read_oulad(folder: Path, *, until: date, limit: int | None = None) -> Oulad:
    """Reads the data set.

    Args:
        folder: holds the six CSV files.
        until: no event is dated after this day; normally yesterday.
        limit: take only so many enrolments, evenly spread over the file's order; None takes all.

    Raises:
        NotOulad: when a file or column is missing.
        ValueError: when `limit` is less than 1.
    """
    tables = read_tables(folder, limit=limit)
    return Oulad(Source(AUTHORITY, SYSTEM), _day_zero(until, max(tables.lengths.values())), tables)


def _day_zero(until: date, length: int) -> date:
    """The latest Sunday on which a presentation of `length` days can begin to end by `until`."""
    latest = until - timedelta(days=length - 1)
    return latest - timedelta(days=latest.isoweekday() % 7)


def unit_name(presentation: str) -> str:
    """The presentation as a school unit."""
    return f"{MODULE} {presentation} (OULAD)"


def _staff(oulad: Oulad) -> Iterator[Event]:
    recorded = local_time(oulad.date_of(-1), STAFF_AT)
    for group in sorted({one.group for one in oulad.tables.enrolled}):
        yield oulad.source.event(
            "staff.changed", _coach(group), recorded, "staff", _member(f"Coach {group}", "coach", group)
        )
    for presentation in sorted({one.presentation for one in oulad.tables.enrolled}):
        member = _member(f"Principal {presentation}", "principal", unit_name(presentation))
        yield oulad.source.event("staff.changed", f"staff:principal-{presentation}", recorded, "staff", member)


def _coach(group: str) -> str:
    return f"staff:coach-{group}"


def _member(name: str, role: str, scope: str) -> dict[str, Any]:
    return {
        "name": f"{name} (synthetic)",
        "email": f"{name.lower().replace(' ', '.')}@oulad.example.org",
        "roles": [role],
        "scope": [scope],
        "language": "en",
        "active": True,
    }


def _on(oulad: Oulad, day: int) -> Iterator[Event]:
    weekday = oulad.date_of(day).weekday()
    for one in oulad.tables.enrolled:
        if one.first == day > 0:
            yield _enrolment(oulad, one, day, ended=False)
        if one.left == day:
            yield _enrolment(oulad, one, day, ended=True)
        if one.is_there(day) and day < oulad.tables.lengths[one.presentation]:
            if weekday < SATURDAY:
                yield _attendance(oulad, one, day)
            yield from _grades(oulad, one, day)


def _enrolment(oulad: Oulad, one: Enrolled, day: int, *, ended: bool) -> Event:
    starts_on = oulad.date_of(one.first).isoformat()
    data: dict[str, Any] = {
        "school_unit": unit_name(one.presentation),
        "programme": MODULE,
        "study_year": 1,
        "groups": [one.group],
        "coach": _coach(one.group),
        "status": "ended" if ended else "active",
        "starts_on": starts_on,
        "protected": False,
        "state": "recorded",
        "person": {"references": [one.reference], "given_name": "Student", "family_name": f"{one.student} (OULAD)"},
    }
    if ended:
        data |= {"ends_on": oulad.date_of(day).isoformat(), "end_reason": "left"}
    recorded = local_time(oulad.date_of(day), time(6, 30) if ended else STAFF_AT)
    return oulad.source.event("enrolment.changed", one.reference, recorded, f"{one.presentation} {starts_on}", data)


def _attendance(oulad: Oulad, one: Enrolled, day: int) -> Event:
    today = oulad.date_of(day)
    lesson = f"{MODULE}-{one.presentation}-{day:03d}"
    data = {
        "lesson": lesson,
        "school_unit": unit_name(one.presentation),
        "group": one.group,
        "course": MODULE,
        "starts_at": local_time(today, LESSON_AT).isoformat(),
        "minutes": LESSON_MINUTES,
        "state": "registered",
        "excused_minutes": 0 if day in one.active_days else LESSON_MINUTES,
        "unexcused_minutes": 0,
        "late": False,
    }
    return oulad.source.event("attendance.recorded", one.reference, local_time(today, REGISTERED_AT), lesson, data)


def _grades(oulad: Oulad, one: Enrolled, day: int) -> Iterable[Event]:
    """Marks and warnings of this day. Work handed in before day 0 is marked on day 0."""
    for work in oulad.tables.works.get(one.presentation, []):
        handed_in, score = one.handed_in.get(work.id, (None, None))
        warned_on = work.day + 1
        # Handed in on the very next day: the warning never opens. Enrolled after it was due: nor does it.
        warned = (handed_in is None or handed_in > warned_on) and one.is_there(warned_on)
        if warned and day == warned_on:
            yield _grade(oulad, one, day, work, kind="warning", value="open", at=WARNED_AT)
        if handed_in is not None and day == max(handed_in, one.first):
            if warned:
                yield _grade(oulad, one, day, work, kind="warning", value="closed", at=MARKED_AT)
            if score is not None:
                yield _grade(oulad, one, day, work, kind="term", value=band(score), at=MARKED_AT)


def _grade(oulad: Oulad, one: Enrolled, day: int, work: Work, *, kind: str, value: str, at: time) -> Event:
    today = oulad.date_of(day)
    data = {
        "school_unit": unit_name(one.presentation),
        "course": work.course,
        "name": f"Piece of work due on day {work.day}",
        # The contract knows Swedish curricula only; the score makes no difference between them.
        "curriculum": "gy25",
        "credits": work.weight,
        "required": False,
        "diploma_project": False,
        "kind": kind,
        "value": value,
        "recorded_on": today.isoformat(),
        "state": "recorded",
    }
    return oulad.source.event("grade.recorded", one.reference, local_time(today, at), f"{work.course} {kind}", data)
