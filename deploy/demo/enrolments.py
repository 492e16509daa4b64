"""Staff and enrolment events: who is where, who leaves, who is protected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

from deploy.demo.school_calendar import local_time
from deploy.demo.storylines import Storyline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from deploy.demo.authority import Authority, SchoolClass, Staff, Student
    from deploy.demo.events import Event, Source
    from deploy.demo.storylines import Life

REGISTERED_AT = time(7, 30)
CHANGED_AT = time(7, 40)


@dataclass(frozen=True, slots=True)
class Stay:
    """A student's time in one class; `last` is the last school day (counted from 0), None: to the end of the term."""

    student: Student
    school_class: SchoolClass
    first: int
    last: int | None

    def covers(self, day: int) -> bool:
        """Whether the student belongs to the class on this school day."""
        return self.first <= day and (self.last is None or day <= self.last)


def stays(authority: Authority, lives: list[Life]) -> list[Stay]:
    """Where everybody is during the term: one stay each, two for those who move within the authority."""
    found = []
    for student, life in zip(authority.students, lives, strict=True):
        found.append(Stay(student, student.school_class, 0, life.leaves))
        elsewhere = [c for c in authority.classes if c.unit != student.school_class.unit]
        if life.storyline is Storyline.MOVES and life.leaves is not None and elsewhere:
            same_year = [c for c in elsewhere if c.study_year == student.school_class.study_year]
            found.append(Stay(student, (same_year or elsewhere)[0], life.leaves + 1, None))
    return found


def staff_event(source: Source, member: Staff, day: date) -> Event:
    """A member of staff as the source knows them on `day`."""
    data = {
        "name": member.name,
        "email": member.email,
        "roles": [member.role],
        "scope": list(member.scope),
        "language": "sv",
        "active": True,
    }
    return source.event("staff.changed", member.id, local_time(day, REGISTERED_AT), "staff", data)


@dataclass(frozen=True, slots=True)
class EnrolmentRegister:
    """The source's register of enrolments over the term's school days.

    `starts_on` is the beginning of the term for all: this source renews every enrolment with each term.
    """

    source: Source
    days: list[date]
    lives: list[Life]
    stays: list[Stay]

    def before_term(self) -> list[Event]:
        """All enrolments of the first day, registered the day before it."""
        yesterday = self.days[0] - timedelta(days=1)
        return [self._event(stay, yesterday, 0) for stay in self.stays if stay.first == 0]

    def on(self, day: int) -> Iterator[Event]:
        """What changes on this school day: leaving, arriving from another school unit, becoming protected."""
        today = self.days[day]
        for stay in self.stays:
            life = self.lives[stay.student.number]
            if stay.first == day > 0:
                yield self._event(stay, today, day)
            if stay.last is not None and day == stay.last + 1:
                yield self._event(stay, today, day, ended=True)
            if day > 0 and life.protected_from == day and stay.covers(day) and stay.first < day:
                yield self._event(stay, today, day)

    def _event(self, stay: Stay, recorded: date, day: int, *, ended: bool = False) -> Event:
        student, school_class, life = stay.student, stay.school_class, self.lives[stay.student.number]
        starts_on = self.days[stay.first].isoformat()
        protected = life.protected_from is not None and life.protected_from <= day
        data: dict[str, Any] = {
            "school_unit": school_class.unit,
            "programme": school_class.programme.code,
            "programme_type": school_class.programme.type,
            "study_year": school_class.study_year,
            "curriculum": school_class.curriculum,
            "groups": [school_class.code],
            "coach": school_class.coach,
            "status": "ended" if ended else "active",
            "starts_on": starts_on,
            "protected": protected,
            "turns_18_on": student.turns_18_on.isoformat(),
            "state": "recorded",
            "person": _person(student, protected=life.protected_from is not None),
        }
        if ended and stay.last is not None:
            data["ends_on"] = self.days[stay.last].isoformat()
            data["end_reason"] = "moved" if life.storyline is Storyline.MOVES else "left"
        return self.source.event(
            "enrolment.changed", student.id, local_time(recorded, CHANGED_AT), f"{school_class.unit} {starts_on}", data
        )


def _person(student: Student, *, protected: bool) -> dict[str, Any]:
    """Who the student is, at the door only. Who is or will be protected has no national id in this source."""
    references = [student.id, student.ss12000]
    person: dict[str, Any] = {"given_name": student.given_name, "family_name": student.family_name}
    if not protected:
        references.append(f"civic:{student.national_id}")
        person["national_id"] = student.national_id
    return {"references": references, **person}
