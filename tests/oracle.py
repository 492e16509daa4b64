"""An independent computation of every student's final state from the published events, as plainly as it can be said.

It shares no code with scoring: brute force over all days, from the definitions alone, so that agreement means something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tests.place_oracle import Data, lesson_counts, places, rank

ZONE = ZoneInfo("Europe/Stockholm")
FAILED = {"F", "-"}
MOST_LESSONS, MOST_MARKS, MOST_COURSES = 40, 200, 150
"""Of a day, of a course, of a student: what has more different ones told of, in whatever state, is unusable as a whole."""

Event = Mapping[str, Any]
Marks = Mapping[tuple[str, str], Mapping[date, Data]]
"""Of each course and kind: what is valid of each day on which a mark was recorded, without what was retracted."""


@dataclass(frozen=True)
class Expected:
    """What a student should end with. `by_day`: score and level after each day with facts; not part of the comparison."""

    score: int
    level: str
    points: Mapping[str, int]
    as_of: str | None
    by_day: Mapping[date, tuple[int, str]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Day:
    """A student's school day in minutes, each counted once; `late`: lessons begun late."""

    scheduled: Fraction
    registered: Fraction
    excused: Fraction
    unexcused: Fraction
    late: int

    @property
    def absent(self) -> Fraction:
        return self.excused + self.unexcused

    @property
    def is_fully_absent(self) -> bool:
        return self.registered * 2 >= self.scheduled and self.registered == self.absent > 0

    @property
    def has_presence(self) -> bool:
        return self.registered > self.absent


def expect(events: Iterable[Event]) -> dict[str, Expected]:
    """Events (published form, any order, with repetitions) to final states by subject; students with no facts included."""
    by_student: dict[str, list[Event]] = {}
    for event in events:
        if event["type"].split(".")[1] in {"attendance", "grade", "enrolment"}:
            by_student.setdefault(event["subject"], []).append(event)
    return {student: _student(known) for student, known in by_student.items()}


def days_of(events: Iterable[Event]) -> dict[date, Day]:
    """A student's school days: those on which a lesson that counts took place, with a register or without.

    Of a day with too many lessons nothing is known, not even which of them took place or counts.
    """
    events = list(events)
    known_places = places(event for event in events if "enrolment" in event["type"])
    valid: dict[tuple[date, str], Data] = {}
    for event in events:
        if "attendance" in event["type"]:
            data = event["data"]
            key = (datetime.fromisoformat(data["starts_at"]).astimezone(ZONE).date(), data["lesson"])
            if key not in valid or rank(data) > rank(valid[key]):
                valid[key] = data
    told = Counter(day for day, _ in valid)
    of_day: dict[date, list[Data]] = {day: [] for day, lessons in told.items() if lessons > MOST_LESSONS}
    for (day, _), data in valid.items():
        takes_place = data["state"] in {"registered", "unregistered"}
        if told[day] <= MOST_LESSONS and takes_place and lesson_counts(known_places, data["school_unit"], day):
            of_day.setdefault(day, []).append(data)
    return {day: _day(lessons) for day, lessons in of_day.items()}


def marks_of(events: Iterable[Event]) -> Marks:
    """A student's valid marks and warnings, without those of courses that are unusable."""
    valid: dict[tuple[str, str, date], Data] = {}
    for event in events:
        if "grade" in event["type"]:
            data = event["data"]
            key = (data["course"], data["kind"], date.fromisoformat(data["recorded_on"]))
            if key not in valid or rank(data) > rank(valid[key]):
                valid[key] = data
    told = Counter(course for course, _, _ in valid)
    marks: dict[tuple[str, str], dict[date, Data]] = {}
    if len(told) > MOST_COURSES:
        return marks
    for (course, kind, day), data in valid.items():
        if told[course] <= MOST_MARKS and data.get("state", "recorded") == "recorded":
            marks.setdefault((course, kind), {})[day] = data
    return marks


def mark_on(marks: Marks, course: str, kind: str, day: date) -> Data | None:
    """What counts on a day of a course and kind: what was recorded last until then."""
    known = {recorded: data for recorded, data in marks.get((course, kind), {}).items() if recorded <= day}
    return known[max(known)] if known else None


def replaced_on(marks: Marks, day: date) -> set[str]:
    """Courses that a passed final grade of another makes up for on a day."""
    finals = [mark_on(marks, course, "final", day) for course in {course for course, _ in marks}]
    passed = [final for final in finals if final and final["value"] not in FAILED]
    return {code for final in passed for code in final.get("replaces", [])}


def year_begins(day: date) -> date:
    """The 1st of July on or before a day."""
    return date(day.year if day.month >= 7 else day.year - 1, 7, 1)


@dataclass(frozen=True)
class _Piece:
    """A part of a registered lesson in which the student was `present`, `excused` or `unexcused`."""

    begins: datetime
    ends: datetime
    what: str
    lesson_begins: datetime
    lesson_ends: datetime

    def is_around(self, other: _Piece) -> bool:
        """Whether its lesson is a longer register around the other's."""
        holds = self.lesson_begins <= other.lesson_begins and self.lesson_ends >= other.lesson_ends
        return holds and self.lesson_ends - self.lesson_begins > other.lesson_ends - other.lesson_begins


def _day(lessons: list[Data]) -> Day:
    scheduled = [
        (begins, begins + timedelta(minutes=data["minutes"])) for data in lessons for begins in [_begins(data)]
    ]
    taken = [data for data in lessons if data["state"] == "registered"]
    pieces = [piece for data in taken for piece in _pieces(data)]
    spans = [*scheduled, *((piece.begins, piece.ends) for piece in pieces)]
    minutes = dict.fromkeys(["scheduled", "present", "excused", "unexcused"], Fraction(0))
    for begins, ends in pairwise(sorted({moment for span in spans for moment in span})):
        length = Fraction((ends - begins) // timedelta(microseconds=1), 60_000_000)
        if any(first <= begins and ends <= last for first, last in scheduled):
            minutes["scheduled"] += length
        here = [piece for piece in pieces if piece.begins <= begins and ends <= piece.ends]
        if here:
            minutes[_counted(here)] += length
    return Day(
        scheduled=minutes["scheduled"],
        registered=minutes["present"] + minutes["excused"] + minutes["unexcused"],
        excused=minutes["excused"],
        unexcused=minutes["unexcused"],
        late=sum(data.get("late", False) for data in taken),
    )


def _begins(data: Data) -> datetime:
    return datetime.fromisoformat(data["starts_at"]).astimezone(ZoneInfo("UTC"))


def _pieces(data: Data) -> list[_Piece]:
    """Absence lies at the start of a lesson when late, else at its end, the excused part first."""
    begins = _begins(data)
    excused, unexcused = data.get("excused_minutes", 0), data.get("unexcused_minutes", 0)
    present = data["minutes"] - excused - unexcused
    parts = [("excused", excused), ("unexcused", unexcused)]
    parts = [*parts, ("present", present)] if data.get("late", False) else [("present", present), *parts]
    pieces, moment, ends = [], begins, begins + timedelta(minutes=data["minutes"])
    for what, length in parts:
        after = moment + timedelta(minutes=length)
        if length:
            pieces.append(_Piece(moment, after, what, begins, ends))
        moment = after
    return pieces


def _counted(pieces: list[_Piece]) -> str:
    """What a moment counts as that several registers speak of.

    Presence beats excused absence, and unexcused absence too unless that stands in a lesson inside the register of the presence.
    """
    present = [piece for piece in pieces if piece.what == "present"]
    unexcused = [piece for piece in pieces if piece.what == "unexcused"]
    if any(not any(each.is_around(lesson) for lesson in unexcused) for each in present):
        return "present"
    if present or len(unexcused) == len(pieces):
        return "unexcused"
    return "excused"


def _student(events: list[Event]) -> Expected:
    days, marks = days_of(events), marks_of(events)
    mark_days = {day for recorded in marks.values() for day in recorded}
    known_days = {day for day, sums in days.items() if sums.registered} | mark_days
    level, folded = "universal", [0]
    score, points = 0, dict[str, int]()
    by_day: dict[date, tuple[int, str]] = {}
    for day in sorted({*days, *mark_days}):
        points = _points(day, days, marks)
        score = min(100, sum(points.values()))
        if day in known_days:
            folded.append(score)
            level = _level(level, folded)
        by_day[day] = (score, level)
    as_of = max(by_day).isoformat() if by_day else None
    return Expected(score, level, {name: value for name, value in points.items() if value}, as_of, by_day)


def _points(day: date, days: Mapping[date, Day], marks: Marks) -> dict[str, int]:
    school_days = [d for d in sorted(days) if year_begins(day) <= d <= day]
    window = [days[d] for d in school_days[-20:]]
    points = {"total_absence": 0}
    if sum(sums.registered > 0 for sums in window) >= 10:
        points["total_absence"] = _steps(100 * _share(window), {5: 4, 10: 10, 15: 15, 20: 20})
    recent = [days[d] for d in school_days if d >= day - timedelta(days=29)]
    points["unexcused_absence"] = _steps(sum(sums.unexcused for sums in recent) / Fraction(60), {2: 4, 4: 10, 8: 16})
    points["absence_streak"] = _steps(_streak(window), {3: 6, 5: 12})
    before = [days[d] for d in school_days[-30:-10]]
    points["absence_trend"] = 8 if _rises(window[-10:], before) else 0
    points["late_arrivals"] = _steps(sum(sums.late for sums in window), {4: 3, 8: 6})
    failed, graded, critical = _failed(day, marks)
    points["failed_courses"] = _steps(failed, {1: 6, 2: 14, 3: 18, 4: 24})
    points["credit_margin"] = _steps(graded, {100: 10, 200: 18, 251: 24})
    points["failed_courses" if points["credit_margin"] > points["failed_courses"] else "credit_margin"] = 0
    points["diploma_critical"] = 8 if critical else 0
    return points


def _share(days: list[Day]) -> Fraction:
    return Fraction(sum(sums.absent for sums in days), sum(sums.registered for sums in days))


def _streak(window: list[Day]) -> int:
    """Presence ends it; a day of which too little is known neither counts nor ends it."""
    streak = 0
    for sums in reversed(window):
        if sums.has_presence:
            break
        streak += sums.is_fully_absent
    return streak


def _rises(recent: list[Day], before: list[Day]) -> bool:
    enough = sum(d.registered > 0 for d in recent) >= 5 and sum(d.registered > 0 for d in before) >= 10
    return enough and _share(recent) - _share(before) >= Fraction(1, 10)


def _failed(day: date, marks: Marks) -> tuple[Fraction, int, int]:
    """Failed courses (a warning is half), credits graded F or -, failed courses that the diploma needs."""
    failed, graded, critical = Fraction(0), 0, 0
    courses = {course for course, _ in marks}
    finals = [final for course in courses if (final := mark_on(marks, course, "final", day))]
    for course in courses - replaced_on(marks, day):
        final, warning = mark_on(marks, course, "final", day), mark_on(marks, course, "warning", day)
        mark = final or mark_on(marks, course, "term", day)
        if mark and mark["value"] in FAILED:
            if mark is final and any(_makes_up(other, final) for other in finals):
                continue
            failed += 1
            critical += mark.get("required", False) or mark.get("diploma_project", False)
            graded += mark["credits"] if mark is final else 0
        elif not final and warning and warning["value"] == "open":
            failed += Fraction(1, 2)
    return failed, graded, critical


def _makes_up(passed: Data, failed: Data) -> bool:
    """Whether a passed level of a Gy25 subject makes up for a failed one."""
    both_are_levels = passed["curriculum"] == failed["curriculum"] == "gy25"
    is_of_the_subject = bool(passed.get("subject")) and passed["subject"] == failed.get("subject")
    is_later = bool(passed["recorded_on"] >= failed["recorded_on"])
    return both_are_levels and is_of_the_subject and is_later and passed["value"] not in FAILED


def _steps(value: Fraction | int, steps: Mapping[int, int]) -> int:
    return max([points for threshold, points in steps.items() if value >= threshold], default=0)


def _level(level: str, scores: list[int]) -> str:
    """The level after the last of the scores; the first stands for the time before all facts and is no day."""
    names = ["universal", "targeted", "individual"]
    thresholds = {"targeted": 25, "individual": 50}
    days = scores[1:]
    rank_now = names.index(level)
    while rank_now and len(days) >= 10 and all(s <= thresholds[names[rank_now]] - 8 for s in days[-10:]):
        rank_now -= 1
    for higher in range(rank_now + 1, 3):
        threshold = thresholds[names[higher]]
        steady = len(days) >= 2 and min(days[-2:]) >= threshold
        jump = scores[-1] - scores[-2] >= 20 and scores[-1] >= threshold
        if steady or jump:
            rank_now = higher
    return names[rank_now]
