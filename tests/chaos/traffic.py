"""What publishers send during a run, all of it drawn from one seed: an invented school whose registers are often wrong.

Much more is corrected, repeated, retracted and late than in any real school, since that is where a mistake would show:
corrections that come before what they correct, two versions with the same revision, retractions of what is weeks old.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from deploy.demo.delivery import bad_event
from deploy.demo.events import Event, Source
from deploy.demo.school_calendar import TIME_ZONE, local_time

AUTHORITY = "2480"
LESSONS_A_DAY = 4
MOST_IN_BATCH = 60
BAD_SHARE = 0.002
POISON_SHARE = 0.001
AMQP_SHARE = 0.3
CONDITIONS = {"well": 0.02, "slipping": 0.3, "away": 0.75}
"""Share of lessons missed. A student goes from one to the other, so that levels rise and fall."""
COURSES = ("MATMAT01a", "SVESVE01", "ENGENG05", "HISHIS01a1", "SAMSAM01b", "IDRIDR01")
POISONS = ("not JSON", "not stamped", "unknown type")


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that nobody can read, put straight into exchange `events`. `shard_seed` decides where."""

    id: str
    kind: str
    shard_seed: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is published together, through one door of ingest."""

    events: list[Event]
    over_amqp: bool
    poison: tuple[Poison, ...] = ()


@dataclass(slots=True)
class Traffic:
    """A whole run's: `first` must be in before the rest, as a source that speaks of nobody unknown sends it."""

    source: Source
    first: list[Event] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    good: list[Event] = field(default_factory=list)
    bad_ids: set[str] = field(default_factory=set)

    @property
    def poison(self) -> list[Poison]:
        return [poison for parcel in self.parcels for poison in parcel.poison]

    @property
    def total(self) -> int:
        return len(self.first) + sum(len(parcel.events) for parcel in self.parcels)


@dataclass(slots=True)
class _Student:
    number: int
    register: str
    gradebook: str
    unit: str
    group: str
    condition: str = "well"
    mistaken_until: int = 0
    """Until this day (by number) somebody registers the student as absent who is there; corrected weeks later."""


def make_traffic(seed: int, students: int, days: int, today: date) -> Traffic:
    """The traffic of a run. `days`: school days until the day before `today`, 200 at most (ingest takes a year's facts)."""
    chance = random.Random(seed)
    traffic = Traffic(Source(AUTHORITY, f"chaos-{seed}"))
    school = _School(traffic.source, chance, [_student(n) for n in range(students)], _weekdays(today, days))
    traffic.first = [*school.staff(), *school.enrolments(revision_day=0)]
    stream = list(school.term())
    bad = _bad(traffic.source, chance, school, int(len(stream) * BAD_SHARE) + 2)
    traffic.bad_ids = {event["id"] for event in bad}
    unique = {event["id"]: event for event in [*traffic.first, *stream]}
    traffic.good = list(unique.values())
    for event in bad:
        stream.insert(chance.randrange(len(stream)), event)
    traffic.parcels = list(_parcels(chance, stream))
    return traffic


def _student(number: int) -> _Student:
    unit = f"gy-{'asp' if number % 2 else 'bok'}"
    return _Student(
        number, f"id:{number:04d}", f"ss12000:{uuid.UUID(int=number + 1)}", unit, f"{unit}-{number % 4 // 2}a"
    )


def _weekdays(today: date, count: int) -> list[date]:
    days = [today - timedelta(days=back) for back in range(1, 2 * count + 7)]
    return sorted(day for day in days if day.weekday() < 5)[-count:]


@dataclass
class _School:
    source: Source
    chance: random.Random
    students: list[_Student]
    days: list[date]
    later: dict[int, list[Event]] = field(default_factory=dict)
    """By number of day: what comes then of an earlier one."""
    clock: int = 0
    """Milliseconds of the source: each version's own, so that ties come only where they are meant."""

    def staff(self) -> Iterator[Event]:
        scopes = {student.group: student.unit for student in self.students}
        people = [(f"staff:coach-{group}", "coach", [group]) for group in scopes]
        people += [(f"staff:principal-{unit}", "principal", [unit]) for unit in set(scopes.values())]
        for subject, role, scope in sorted(people):
            data = {"name": subject, "email": f"{subject[6:]}@example.org", "roles": [role], "scope": scope}
            yield self._event("staff.changed", subject, self.days[0], {**data, "language": "sv", "active": True})

    def enrolments(self, revision_day: int) -> Iterator[Event]:
        for student in self.students:
            yield self._enrolment(student, revision_day)

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
            if self.chance.random() < 0.1:
                student.condition = self.chance.choice(list(CONDITIONS))
            if self.chance.random() < 0.02:
                student.mistaken_until = number + self.chance.randint(4, 9)
            for lesson in range(LESSONS_A_DAY):
                if number < student.mistaken_until:
                    yield self._register(student, day, lesson, "absent")
                    self._put(number + self.chance.randint(8, 25), self._register(student, day, lesson, "there"))
                else:
                    yield from self._lesson(student, number, day, lesson)
            if self.chance.random() < 0.3:
                yield from self._mark(student, number, day)
            if self.chance.random() < 0.01:
                yield self._enrolment(student, number)

    def _lesson(self, student: _Student, number: int, day: date, lesson: int) -> Iterator[Event]:
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
                self._put(number + self._delay(), event)
        if self.chance.random() < 0.04:
            self._put(number + self._delay(), self.chance.choice(versions))

    def _delay(self) -> int:
        """School days until a correction comes: mostly soon, at times after what scoring keeps at hand."""
        return self.chance.choice((0, 0, 1, 1, 2, 3, 5, 12, 30, 70))

    def _put(self, number: int, event: Event) -> None:
        self.later.setdefault(number, []).append(event)

    def _register(self, student: _Student, day: date, lesson: int, said: str = "") -> Event:
        """`said`: `absent` or `there`; drawn when empty."""
        states = ("registered", "unregistered", "cancelled", "retracted")
        state = "registered" if said else self.chance.choices(states, (90, 5, 3, 2))[0]
        missed = said == "absent" or (not said and self.chance.random() < CONDITIONS[student.condition])
        minutes = self.chance.choice((40, 60, 80))
        absent = self.chance.choice((minutes, minutes, 10)) if missed and state == "registered" else 0
        excused = self.chance.random() < 0.3
        starts_at = local_time(day, time(8 + 2 * lesson, 10))
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

    def _mark(self, student: _Student, number: int, day: date) -> Iterator[Event]:
        kind = self.chance.choice(("warning", "warning", "term", "final"))
        poor = self.chance.random() < 2 * CONDITIONS[student.condition]
        if kind == "warning":
            value = "open" if poor else "closed"
        else:
            value = self.chance.choice("F-") if poor else self.chance.choice("ABCDE")
        course = self.chance.choice(COURSES)
        data = {
            "school_unit": student.unit,
            "course": course,
            "curriculum": "gy25",
            "credits": 100,
            "required": course.endswith("01a"),
            "diploma_project": False,
            "kind": kind,
            "value": value,
            "recorded_on": day.isoformat(),
            "state": self.chance.choices(("recorded", "retracted"), (85, 15))[0],
        }
        event = self._event("grade.recorded", student.gradebook, day, data)
        if self.chance.random() < 0.3:
            self._put(number + self._delay(), event)
        else:
            yield event

    def _enrolment(self, student: _Student, number: int) -> Event:
        data: dict[str, Any] = {
            "school_unit": student.unit,
            "study_year": 1,
            "curriculum": "gy25",
            "groups": [student.group] if number == 0 else sorted({student.group, f"{student.unit}-m{number % 3}"}),
            "coach": f"staff:coach-{student.group}",
            "status": "active",
            "starts_on": self.days[0].isoformat(),
            "protected": False,
            "state": "recorded",
            "person": {
                "references": [student.register, student.gradebook],
                "given_name": "Elev",
                "family_name": f"Nummer{student.number}",
            },
        }
        return self._event("enrolment.changed", student.register, self.days[number], data)

    def _event(self, kind: str, subject: str, day: date, data: dict[str, Any]) -> Event:
        self.clock += 1
        recorded = local_time(day, time(16)) + timedelta(milliseconds=self.clock)
        return self.source.event(kind, subject, recorded, str(self.clock), data)


def _bad(source: Source, chance: random.Random, school: _School, count: int) -> list[Event]:
    return [
        bad_event(source, school.students[0].register, school.students[0].unit, chance.choice(school.days), number)
        for number in range(count)
    ]


def _parcels(chance: random.Random, stream: list[Event]) -> Iterator[Parcel]:
    start = poisons = 0
    while start < len(stream):
        size = chance.randint(1, MOST_IN_BATCH)
        events = stream[start : start + size]
        start += size
        poison = []
        if poisons < len(POISONS) or chance.random() < POISON_SHARE * size:
            kind = POISONS[poisons % len(POISONS)]
            poison.append(Poison(f"poison-{poisons}", kind, chance.randrange(1000)))
            poisons += 1
        yield Parcel(events, chance.random() < AMQP_SHARE, tuple(poison))


def school_today() -> date:
    """The day before which all lessons lie: ingest's limits follow the wall clock."""
    return datetime.now(TIME_ZONE).date()
