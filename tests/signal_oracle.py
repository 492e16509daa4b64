"""Which groups worsen together and who is stale, by brute force from the published events alone; shares no code with scoring.

Every window is cut out of all registers anew, in fractions, from the definitions in docs/scoring.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.oracle import FAILED, Day, Marks, days_of, mark_on, marks_of, replaced_on, year_begins
from tests.place_oracle import Data, Where, place_on, rank

THRESHOLDS = {
    "absence": Fraction(5),
    "unexcused_absence": Fraction(3),
    "late_arrivals": Fraction(1),
    "warnings": Fraction(3, 10),
    "climate": Fraction(1, 2),
}
STALE_SCHOOL_DAYS = 10

Compared = tuple[Fraction | None, Fraction | None, Fraction | None]
"""Recent, earlier, the rest of the unit."""


@dataclass
class Student:
    """What is known of a student. `place`: today's, unless it is paused."""

    place: Where | None
    registers: dict[date, Day]
    newest_register: date
    marks: Marks = field(default_factory=dict)

    @classmethod
    def of(cls, events: list[Mapping[str, Any]], today: date) -> Student:
        """From the student's own events. `registers`: of the last 60 school days."""
        place = place_on([event for event in events if "enrolment" in event["type"]], today)
        days = days_of(events)
        taken = {day: sums for day, sums in days.items() if sums.registered}
        return cls(
            place=place if place and place.status == "active" else None,
            registers={day: taken[day] for day in sorted(days)[-60:] if day in taken},
            newest_register=max(taken, default=date.min),
            marks=marks_of(events),
        )

    def open_warnings(self, day: date) -> int:
        """Courses with an open warning and no grade on a day."""
        return sum(self._is_open(course, day) for course in {course for course, _ in self.marks})

    def _is_open(self, course: str, day: date) -> bool:
        warning, term, final = (mark_on(self.marks, course, kind, day) for kind in ("warning", "term", "final"))
        has_failed_term = term is not None and term["value"] in FAILED
        is_settled = final is not None or has_failed_term or course in replaced_on(self.marks, day)
        return warning is not None and warning["value"] == "open" and not is_settled


class School:
    """All events of one authority, with everything that signals say of them on a day. `events`: in published form."""

    def __init__(self, events: Iterable[Mapping[str, Any]], today: date) -> None:
        self.climate: dict[tuple[str, str | None, str], Data] = {}
        by_student: dict[str, list[Mapping[str, Any]]] = {}
        for event in events:
            if "climate" in event["type"]:
                self._report(event["subject"], event["data"])
            elif event["type"].split(".")[1] in {"attendance", "grade", "enrolment"}:
                by_student.setdefault(event["subject"], []).append(event)
        self.students = {name: Student.of(own, today) for name, own in by_student.items()}

    def _report(self, subject: str, data: Data) -> None:
        key = (subject, data.get("school_unit"), data["period"])
        if key not in self.climate or rank(data) > rank(self.climate[key]):
            self.climate[key] = data

    def members(self, unit: str, subject: str) -> set[str]:
        """Students who are today at a unit, or in a group there."""
        kind, _, code = subject.partition(":")
        return {
            name
            for name, student in self.students.items()
            if student.place and student.place.school_unit == unit and (kind == "unit" or code in student.place.groups)
        }

    def school_days(self, members: set[str]) -> list[date]:
        """Days on which at least half of them, and five, had a register, since the 1st of July before the newest."""
        days = self.all_school_days(members)
        return [day for day in days if day >= year_begins(days[-1])]

    def all_school_days(self, members: set[str]) -> list[date]:
        """The same in all school years."""
        count: dict[date, int] = {}
        for name in members:
            for day in self.students[name].registers:
                count[day] = count.get(day, 0) + 1
        return sorted(day for day, students in count.items() if students >= 5 and 2 * students >= len(members))

    def worse(self, unit: str, subject: str) -> set[str]:
        """Indicators in which a group or unit worsens together."""
        members = self.members(unit, subject)
        if len(members) < 5:
            return set()
        days = self.school_days(members)[-54:]
        return {
            indicator
            for indicator, threshold in THRESHOLDS.items()
            if _folded(
                [self.strength(unit, subject, indicator, days[: n + 1]) for n in range(len(days))][-25:], threshold
            )
        }

    def compared(self, unit: str, subject: str, indicator: str, days: list[date]) -> Compared:
        """A group on the last of its school days."""
        members = self.members(unit, subject)
        rest = self.members(unit, f"unit:{unit}") - members
        if indicator == "climate":
            return self._climate(unit, subject, days[-1])
        if indicator == "warnings":
            earlier = self._warned(members, days[-21]) if len(days) > 20 else None
            return self._warned(members, days[-1]), earlier, self._warned(rest, days[-1]) if len(rest) >= 5 else None
        if len(days) < 30:
            return None, None, None
        with_enough = [day for day in days[-10:] if sum(day in self.students[name].registers for name in rest) >= 5]
        return (
            self._value(members, days[-10:], indicator),
            self._value(members, days[-30:-10], indicator),
            self._value(rest, with_enough, indicator),
        )

    def strength(self, unit: str, subject: str, indicator: str, days: list[date]) -> Fraction:
        """How strongly a group has worsened on the last of its school days."""
        recent, earlier, others = self.compared(unit, subject, indicator, days)
        is_unit = subject.startswith("unit:")
        if recent is None or earlier is None or (others is None and not is_unit):
            return Fraction(0)
        rises = [recent - earlier] if is_unit or others is None else [recent - earlier, recent - others]
        strength = max(Fraction(0), min(-rise if indicator == "climate" else rise for rise in rises))
        members = self.members(unit, subject)
        if strength and indicator != "climate":
            own = [self._own_rise(name, indicator, days) for name in members]
            together = sum(rise is not None and rise >= THRESHOLDS[indicator] / 2 for rise in own)
            if together < 5 or 2 * together < len(members):
                return Fraction(0)
        return strength

    def _own_rise(self, name: str, indicator: str, days: list[date]) -> Fraction | None:
        if indicator == "warnings":
            student = self.students[name]
            return Fraction(student.open_warnings(days[-1]) - student.open_warnings(days[-21]))
        recent, earlier = (self._value({name}, part, indicator) for part in (days[-10:], days[-30:-10]))
        return recent - earlier if recent is not None and earlier is not None else None

    def _value(self, names: set[str], days: list[date], indicator: str) -> Fraction | None:
        registers = [self.students[name].registers for name in names]
        taken = [own[day] for own in registers for day in days if day in own]
        if not taken:
            return None
        if indicator == "late_arrivals":
            return Fraction(10 * sum(sums.late for sums in taken), len(taken))
        absent = sum(sums.absent if indicator == "absence" else sums.unexcused for sums in taken)
        return Fraction(100 * absent, sum(sums.registered for sums in taken))

    def _warned(self, names: set[str], day: date) -> Fraction:
        return Fraction(sum(self.students[name].open_warnings(day) for name in names), len(names))

    def _reports(self, unit: str, subject: str) -> dict[date, Fraction]:
        """Means of a group or unit by Monday: of reports that name the unit, else of those that can mean no other unit's."""
        kind, _, code = subject.partition(":")
        places = [student.place for student in self.students.values() if student.place]
        is_elsewhere = any(place.school_unit != unit and code in place.groups for place in places)
        found: dict[date, Fraction] = {}
        for named in (None, unit):
            if named is None and kind == "group" and is_elsewhere:
                continue
            for (of, school_unit, period), data in self.climate.items():
                if (of, school_unit, data["state"]) == (subject, named, "recorded"):
                    monday = date.fromisocalendar(int(period[:4]), int(period[6:]), 1)
                    parts = [Fraction(str(data[part])) for part in ("safety", "inclusion", "relations")]
                    found[monday] = sum(parts, Fraction(0)) / 3
        return found

    def _climate(self, unit: str, subject: str, day: date) -> Compared:
        known = self._reports(unit, subject)
        weeks = [week for week in known if week <= day < week + timedelta(days=140)]
        if not weeks:
            return None, None, None
        newest = max(weeks)
        before = [known[week] for week in known if newest - timedelta(days=140) <= week < newest]
        earlier = sum(before) / len(before) if before else None
        own_unit = self._reports(unit, f"unit:{unit}").get(newest)
        groups = {
            f"group:{code}"
            for name in self.members(unit, f"unit:{unit}")
            if (place := self.students[name].place)
            for code in place.groups
        }
        others = [found[newest] for group in groups - {subject} if newest in (found := self._reports(unit, group))]
        rest = own_unit if own_unit is not None else sum(others) / len(others) if others else None
        return (
            known[newest],
            Fraction(earlier) if earlier is not None else None,
            Fraction(rest) if rest is not None else None,
        )

    def stale_since(self, name: str) -> date | None:
        """The first of ten school days or more that the student's unit has had without a register of the student."""
        student = self.students[name]
        if not student.place:
            return None
        unit = student.place.school_unit
        members = self.members(unit, f"unit:{unit}")
        since = max(student.newest_register + timedelta(days=1), student.place.starts_on)
        missed = [day for day in self.all_school_days(members) if day >= since]
        return missed[0] if len(missed) >= STALE_SCHOOL_DAYS else None


def _folded(strengths: list[Fraction], threshold: Fraction) -> bool:
    is_worse = False
    for n, strength in enumerate(strengths):
        if is_worse and n >= 9 and all(each <= threshold / 2 for each in strengths[n - 9 : n + 1]):
            is_worse = False
        before = strengths[n - 1] if n else Fraction(0)
        if strength >= threshold and ((n and before >= threshold) or strength - before >= 2 * threshold):
            is_worse = True
    return is_worse
