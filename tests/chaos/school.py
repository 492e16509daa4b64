"""An invented school whose registers are often wrong: what its systems say, in the order in which they say it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any

from deploy.demo.events import Event, Source
from deploy.demo.school_calendar import local_time

LESSONS_A_DAY = 4
WHOLE_DAY = LESSONS_A_DAY
"""Number of the register of a whole day that at times lies around the lessons."""
CONDITIONS = {"well": 0.02, "slipping": 0.3, "away": 0.75}
"""Share of lessons missed. A student goes from one to the other, so that levels rise and fall."""
SHORT_STAY = (2, 6)
"""School days."""
COURSES = ("MATMAT01a", "SVESVE01", "ENGENG05", "HISHIS01a1", "SAMSAM01b", "IDRIDR01")
HEAVY_CREDITS = 400
"""An F in so much, which the diploma needs, changes the level by itself; taken back, it changes it again."""


@dataclass(slots=True)
class Student:
    """One of them."""

    number: int
    register: str
    gradebook: str
    unit: str
    group: str
    first: int
    last: int
    """Numbers of the days between which there is anything about the student."""
    begins: int
    """Number of the day on which the newest place begins: what lies before it and in no other place does not count."""
    condition: str = "well"
    latest: int = 0
    """Number of the latest day on which any place begins."""
    mistaken_until: int = 0
    """Until this day (by number) somebody registers the student as absent who is there; corrected weeks later."""


def make_student(chance: random.Random, number: int, days: int) -> Student:
    """Every eighth is there all the time, which makes long histories, the others for some days."""
    unit = f"gy-{'asp' if number % 2 else 'bok'}"
    first, last = 0, days - 1
    if number % 8:
        first = chance.randrange(max(1, days - SHORT_STAY[1]))
        last = min(days - 1, first + chance.randint(*SHORT_STAY))
    begins = min(last, first + chance.choice((0, 0, 0, 1)))
    references = f"id:{number:04d}", f"ss12000:{uuid.UUID(int=number + 1)}"
    return Student(number, *references, unit, f"{unit}-{number % 4 // 2}a", first, last, begins, latest=begins)


@dataclass
class School:
    source: Source
    chance: random.Random
    students: list[Student]
    days: list[date]
    later: dict[int, list[Event]] = field(default_factory=dict)
    """By number of day: what comes then of an earlier one."""
    last_words: list[Event] = field(default_factory=list)
    """The last that is heard of each student, which changes the level."""
    clock: int = 0
    """Milliseconds of the source: each version's own, so that ties come only where they are meant."""

    def staff(self) -> Iterator[Event]:
        scopes = {student.group: student.unit for student in self.students}
        people = [(f"staff:coach-{group}", "coach", [group]) for group in scopes]
        people += [(f"staff:principal-{unit}", "principal", [unit]) for unit in set(scopes.values())]
        for subject, role, scope in sorted(people):
            data = {"name": subject, "email": f"{subject[6:]}@example.org", "roles": [role], "scope": scope}
            yield self._event("staff.changed", subject, self.days[0], {**data, "language": "sv", "active": True})

    def enrolments(self) -> Iterator[Event]:
        for student in self.students:
            yield self._enrolment(student, student.first)

    def term(self) -> Iterator[Event]:
        """All facts in the order of publishing, disturbed."""
        window: list[Event] = []
        for number, day in enumerate(self.days):
            window += [*self._day(number, day), *self.later.pop(number, ())]
            self.chance.shuffle(window)
            keep = self.chance.randrange(len(window) // 4 + 1)  # what one day sends overlaps with the next
            yield from window[keep:]
            del window[keep:]
        rest = [*window, *(event for number in sorted(self.later) for event in self.later[number])]
        self.chance.shuffle(rest)
        yield from rest

    def _day(self, number: int, day: date) -> Iterator[Event]:
        for student in self.students:
            if student.first <= number <= student.last:
                yield from self._day_of(student, number, day)
            if number == student.last:
                self.last_words.append(self._heavy_mark(student, day, "recorded"))

    def _day_of(self, student: Student, number: int, day: date) -> Iterator[Event]:
        if self.chance.random() < 0.1:
            student.condition = self.chance.choice(list(CONDITIONS))
        if self.chance.random() < 0.02:
            student.mistaken_until = number + self.chance.randint(4, 9)
        for lesson in range(LESSONS_A_DAY):
            if number < student.mistaken_until:
                yield self._register(student, day, lesson, "absent")
                corrected = self._register(student, day, lesson, "there")
                self._put(student, number + self.chance.randint(8, 25), corrected)
            else:
                yield from self._lesson(student, number, day, lesson)
        if self.chance.random() < 0.04:
            yield from self._lesson(student, number, day, WHOLE_DAY)
        if self.chance.random() < 0.3:
            yield from self._mark(student, number, day)
        if self.chance.random() < 0.15:
            yield self._heavy_mark(student, day, "recorded")
            self._put(student, number + self.chance.randint(1, 4), self._heavy_mark(student, day, "retracted"))
        if self.chance.random() < 0.03:
            yield from self._place(student, number)

    def _place(self, student: Student, number: int) -> Iterator[Event]:
        """Something becomes of the place. In the end it holds: there is somebody to tell."""
        match self.chance.choice(("groups", "first day", "retracted", "paused", "ended", "another")):
            case "groups":
                yield self._enrolment(student, number)
            case "first day" if student.begins:
                student.begins -= 1
                yield self._enrolment(student, number)
            case "retracted":
                yield self._enrolment(student, number, state="retracted")
                self._put(student, number + self._delay(), self._enrolment(student, number))
            case "paused":
                yield self._enrolment(student, number, status="paused")
                self._put(student, number + self._delay(), self._enrolment(student, number))
            case "ended" if number > student.latest:
                yield self._enrolment(student, number, status="ended")
                student.begins = student.latest = min(number + 2, student.last)
                self._put(student, number + self._delay(), self._enrolment(student, number))
            case _:
                unit = "gy-bok" if student.unit == "gy-asp" else "gy-asp"
                starts_on = self.days[number].isoformat()
                yield self._enrolment(student, number, main=False, school_unit=unit, starts_on=starts_on, groups=[])

    def _lesson(self, student: Student, number: int, day: date, lesson: int) -> Iterator[Event]:
        versions = [self._register(student, day, lesson)]
        while self.chance.random() < 0.2:
            versions.append(self._register(student, day, lesson))
        if self.chance.random() < 0.01:  # another version with the same revision: the content decides
            twin = self._register(student, day, lesson)
            twin["data"]["revision"] = versions[-1]["data"]["revision"]
            versions.append(twin)
        if self.chance.random() < 0.1:
            versions.reverse()
        for order, event in enumerate(versions):
            if order == 0:
                yield event
            else:
                self._put(student, number + self._delay(), event)
        if self.chance.random() < 0.04:
            self._put(student, number + self._delay(), self.chance.choice(versions))

    def _delay(self) -> int:
        """School days until a correction comes: mostly soon, at times after what scoring keeps at hand."""
        return self.chance.choice((0, 0, 1, 1, 2, 3, 5, 12, 30, 70))

    def _put(self, student: Student, number: int, event: Event) -> None:
        number = min(number, student.last)
        self.later.setdefault(number, []).append(event)

    def _register(self, student: Student, day: date, lesson: int, said: str = "") -> Event:
        """`said`: `absent` or `there`; drawn when empty."""
        states = ("registered", "unregistered", "cancelled", "retracted")
        state = "registered" if said else self.chance.choices(states, (90, 5, 3, 2))[0]
        missed = said == "absent" or (not said and self.chance.random() < CONDITIONS[student.condition])
        minutes = 440 if lesson == WHOLE_DAY else self.chance.choice((40, 60, 80))
        absent = self.chance.choice((minutes, minutes, 10)) if missed and state == "registered" else 0
        excused = self.chance.random() < 0.3
        starts_at = local_time(day, time(8 + 2 * (lesson % WHOLE_DAY), 10))
        data = {
            "lesson": f"{day:%y%m%d}-{lesson}",
            "school_unit": student.unit,
            "group": student.group,
            "starts_at": starts_at.isoformat(),
            "minutes": minutes,
            "state": state,
            "excused_minutes": absent if excused else 0,
            "unexcused_minutes": 0 if excused else absent,
            "late": absent == 10 and not excused,
        }
        return self._event("attendance.recorded", student.register, day, data)

    def _mark(self, student: Student, number: int, day: date) -> Iterator[Event]:
        kind = self.chance.choice(("warning", "warning", "term", "final"))
        poor = self.chance.random() < 2 * CONDITIONS[student.condition]
        if kind == "warning":
            value = "open" if poor else "closed"
        else:
            value = self.chance.choice("F-") if poor else self.chance.choice("ABCDE")
        state = self.chance.choices(("recorded", "retracted"), (85, 15))[0]
        event = self._mark_in(student, day, self.chance.choice(COURSES), kind=kind, value=value, state=state)
        if self.chance.random() < 0.3:
            self._put(student, number + self._delay(), event)
        else:
            yield event
        if self.chance.random() < 0.1:  # exported once more: a newer revision of what is known
            again = self._event("grade.recorded", student.gradebook, day, {**event["data"]})
            self._put(student, number + self._delay(), again)

    def _heavy_mark(self, student: Student, day: date, state: str) -> Event:
        course = f"GYA{day:%m%d}"
        return self._mark_in(student, day, course, kind="final", value="F", state=state, credit=HEAVY_CREDITS)

    def _mark_in(
        self, student: Student, day: date, course: str, *, kind: str, value: str, state: str, credit: int = 100
    ) -> Event:
        data = {
            "school_unit": student.unit,
            "course": course,
            "curriculum": "gy25",
            "credits": credit,
            "required": course.endswith("01a") or credit == HEAVY_CREDITS,
            "diploma_project": False,
            "kind": kind,
            "value": value,
            "recorded_on": day.isoformat(),
            "replaces": [self.chance.choice(COURSES)] if kind == "final" and self.chance.random() < 0.1 else [],
            "state": state,
        }
        return self._event("grade.recorded", student.gradebook, day, data)

    def _enrolment(self, student: Student, number: int, **said: Any) -> Event:
        data: dict[str, Any] = {
            "school_unit": student.unit,
            "study_year": 1,
            "curriculum": "gy25",
            "groups": [student.group]
            if number == student.first
            else sorted({student.group, f"{student.unit}-m{number % 3}"}),
            "coach": f"staff:coach-{student.group}",
            "status": "active",
            "starts_on": self.days[student.begins].isoformat(),
            "protected": False,
            "state": "recorded",
            "person": {
                "references": [student.register, student.gradebook],
                "given_name": "Elev",
                "family_name": f"Nummer{student.number}",
            },
            **said,
        }
        return self._event("enrolment.changed", student.register, self.days[number], data)

    def _event(self, kind: str, subject: str, day: date, data: dict[str, Any]) -> Event:
        self.clock += 1
        recorded = local_time(day, time(16)) + timedelta(milliseconds=self.clock)
        return self.source.event(kind, subject, recorded, str(self.clock), data)
