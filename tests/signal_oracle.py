"""Which groups worsen together and who is stale, by brute force from the published events alone; shares no code with scoring.

Every window is cut out of all registers anew, in fractions, from the definitions in docs/scoring.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import orjson

ZONE = ZoneInfo("Europe/Stockholm")
THRESHOLDS = {
    "absence": Fraction(5),
    "unexcused_absence": Fraction(3),
    "late_arrivals": Fraction(1),
    "warnings": Fraction(3, 10),
    "climate": Fraction(1, 2),
}

Data = Mapping[str, Any]
Compared = tuple[Fraction | None, Fraction | None, Fraction | None]
"""Recent, earlier, the rest of the unit."""


@dataclass
class Student:
    """A student's valid facts."""

    lessons: dict[tuple[date, str], Data] = field(default_factory=dict)
    marks: list[Data] = field(default_factory=list)
    places: dict[tuple[str, str], Data] = field(default_factory=dict)

    @property
    def place(self) -> Data | None:
        """The active one that began last."""
        active = [
            place for place in self.places.values() if place["state"] == "recorded" and place["status"] == "active"
        ]
        return max(active, key=lambda place: (place["starts_on"], place["school_unit"]), default=None)

    def registers(self) -> dict[date, list[Data]]:
        """Registered lessons of the last 60 school days."""
        held = {key: data for key, data in self.lessons.items() if data["state"] in {"registered", "unregistered"}}
        days = sorted({day for day, _ in held})[-60:]
        found: dict[date, list[Data]] = {}
        for (day, _), data in held.items():
            if day in days and data["state"] == "registered":
                found.setdefault(day, []).append(data)
        return found

    def open_warnings(self, day: date) -> int:
        """Courses with an open warning and no grade on a day."""
        known = [mark for mark in self.marks if date.fromisoformat(mark["recorded_on"]) <= day]
        warned = {mark["course"] for mark in known if mark["kind"] == "warning"}
        return sum(self._is_open(known, course) for course in warned)

    @staticmethod
    def _is_open(known: list[Data], course: str) -> bool:
        def newest(kind: str) -> Data | None:
            versions = [mark for mark in known if (mark["course"], mark["kind"]) == (course, kind)]
            mark = max(versions, key=_rank, default=None)
            return mark if mark and mark["state"] == "recorded" else None

        warning, term = newest("warning"), newest("term")
        has_failed_term = term is not None and term["value"] in {"F", "-"}
        return warning is not None and warning["value"] == "open" and not newest("final") and not has_failed_term


def _rank(data: Data) -> tuple[int, str]:
    return data["revision"], hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _keep(known: dict[Any, Data], key: Any, data: Data) -> None:
    if key not in known or _rank(data) > _rank(known[key]):
        known[key] = data


class School:
    """All events of one authority, with everything that signals say of them. `events`: in published form."""

    def __init__(self, events: Iterable[Data]) -> None:
        self.students: dict[str, Student] = {}
        self.climate: dict[str, dict[str, Data]] = {}
        for event in events:
            data = event["data"]
            if "climate" in event["type"]:
                _keep(self.climate.setdefault(event["subject"], {}), data["period"], data)
                continue
            student = self.students.setdefault(event["subject"], Student())
            if "attendance" in event["type"]:
                day = datetime.fromisoformat(data["starts_at"]).astimezone(ZONE).date()
                _keep(student.lessons, (day, data["lesson"]), data)
            elif "grade" in event["type"]:
                student.marks.append(data)
            else:
                _keep(student.places, (data["school_unit"], data["starts_on"]), data)
        self.registers = {name: student.registers() for name, student in self.students.items()}

    def members(self, unit: str, subject: str) -> set[str]:
        """Students of a unit, or of a group there."""
        kind, _, code = subject.partition(":")
        places = {name: student.place for name, student in self.students.items()}
        return {
            name
            for name, place in places.items()
            if place and place["school_unit"] == unit and (kind == "unit" or code in place["groups"])
        }

    def school_days(self, members: set[str]) -> list[date]:
        """Days on which at least half of them, and five, had a register."""
        count: dict[date, int] = {}
        for name in members:
            for day in self.registers[name]:
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
        with_enough = [day for day in days[-10:] if sum(day in self.registers[name] for name in rest) >= 5]
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
        taken = [self.registers[name][day] for name in names for day in days if day in self.registers[name]]
        lessons = [lesson for of_day in taken for lesson in of_day]
        if not lessons:
            return None
        if indicator == "late_arrivals":
            return Fraction(10 * sum(lesson["late"] for lesson in lessons), len(taken))
        absent = sum(lesson["unexcused_minutes"] for lesson in lessons)
        if indicator == "absence":
            absent += sum(lesson["excused_minutes"] for lesson in lessons)
        return Fraction(100 * absent, sum(lesson["minutes"] for lesson in lessons))

    def _warned(self, names: set[str], day: date) -> Fraction:
        return Fraction(sum(self.students[name].open_warnings(day) for name in names), len(names))

    def _climate(self, unit: str, subject: str, day: date) -> Compared:
        def reports(of: str) -> dict[date, Fraction]:
            valid = [data for data in self.climate.get(of, {}).values() if data["state"] == "recorded"]
            return {
                date.fromisocalendar(int(data["period"][:4]), int(data["period"][6:]), 1): sum(
                    (Fraction(str(data[part])) for part in ("safety", "inclusion", "relations")), Fraction(0)
                )
                / 3
                for data in valid
            }

        known = reports(subject)
        weeks = [week for week in known if week <= day < week + timedelta(days=140)]
        if not weeks:
            return None, None, None
        newest = max(weeks)
        before = [known[week] for week in known if newest - timedelta(days=140) <= week < newest]
        earlier = sum(before) / len(before) if before else None
        own_unit = reports(f"unit:{unit}").get(newest)
        groups = {
            f"group:{code}"
            for name in self.members(unit, f"unit:{unit}")
            if (place := self.students[name].place)
            for code in place["groups"]
        }
        others = [found[newest] for group in groups - {subject} if newest in (found := reports(group))]
        rest = own_unit if own_unit is not None else sum(others) / len(others) if others else None
        return (
            known[newest],
            Fraction(earlier) if earlier is not None else None,
            Fraction(rest) if rest is not None else None,
        )

    def stale_since(self, name: str) -> date | None:
        """The first of ten school days or more that the student's group has had without a register of the student."""
        place = self.students[name].place
        if not place:
            return None
        groups = [self.members(place["school_unit"], f"group:{code}") for code in sorted(place["groups"])]
        days = max((self.school_days(group) for group in groups if len(group) >= 5), key=len, default=[])
        newest = max(self.registers[name], default=date.min)
        missed = [day for day in days if day > newest and day >= date.fromisoformat(place["starts_on"])]
        return missed[0] if len(missed) >= 10 else None


def _folded(strengths: list[Fraction], threshold: Fraction) -> bool:
    is_worse = False
    for n, strength in enumerate(strengths):
        if is_worse and n >= 9 and all(each <= threshold / 2 for each in strengths[n - 9 : n + 1]):
            is_worse = False
        before = strengths[n - 1] if n else Fraction(0)
        if strength >= threshold and ((n and before >= threshold) or strength - before >= 2 * threshold):
            is_worse = True
    return is_worse
