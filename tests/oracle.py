"""An independent computation of every student's final state from the published events, as plainly as it can be said.

It shares no code with scoring: brute force over all days, from DOMAIN's definitions alone, so that agreement means
something.
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


@dataclass(frozen=True)
class Expected:
    """What a student should end with. `by_day`: score and level after each day with facts; not part of the comparison."""

    score: int
    level: str
    points: Mapping[str, int]
    as_of: str | None
    by_day: Mapping[date, tuple[int, str]] = field(default_factory=dict, compare=False, repr=False)


def expect(events: Iterable[Mapping[str, Any]]) -> dict[str, Expected]:
    """Events (published form, any order, with repetitions) to final states by subject; students with no facts included."""
    by_student: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        if event["type"].split(".")[1] in {"attendance", "grade", "enrolment"}:
            by_student.setdefault(event["subject"], []).append(event)
    return {student: _student(known) for student, known in by_student.items()}


def _rank(data: Mapping[str, Any]) -> tuple[int, str]:
    return data["revision"], hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _student(events: list[Mapping[str, Any]]) -> Expected:
    lessons: dict[tuple[date, str], Mapping[str, Any]] = {}
    marks: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in events:
        data = event["data"]
        if "attendance" in event["type"]:
            day = datetime.fromisoformat(data["starts_at"]).astimezone(ZONE).date()
            key = (day, data["lesson"])
            if key not in lessons or _rank(data) > _rank(lessons[key]):
                lessons[key] = data
        elif "grade" in event["type"]:
            marks.setdefault((data["course"], data["kind"]), []).append(data)
    held = {key: data for key, data in lessons.items() if data["state"] in {"registered", "unregistered"}}
    school_days = sorted({day for day, _ in held})
    mark_days = {date.fromisoformat(data["recorded_on"]) for versions in marks.values() for data in versions}
    level, scores = "universal", [0]
    points: dict[str, int] = {}
    by_day: dict[date, tuple[int, str]] = {}
    days = sorted({*school_days, *mark_days})
    for day in days:
        points = _points(day, school_days, held, marks)
        scores.append(min(100, sum(points.values())))
        level = _level(level, scores)
        by_day[day] = (scores[-1], level)
    as_of = days[-1].isoformat() if days else None
    return Expected(scores[-1], level, {k: v for k, v in points.items() if v}, as_of, by_day)


def _points(day: date, school_days: list[date], held: Mapping[Any, Any], marks: Mapping[Any, Any]) -> dict[str, int]:
    window = [d for d in school_days if d <= day][-20:]
    registered = [(d, data) for (d, _), data in held.items() if data["state"] == "registered"]
    inside = [data for d, data in registered if d in window]
    points = {"total_absence": 0}
    if len({d for d, _ in registered if d in window}) >= 10:
        points["total_absence"] = _steps(100 * _share(inside), {5: 4, 10: 10, 15: 15, 20: 20})
    recent = [data for d, data in registered if day - timedelta(days=29) <= d <= day]
    points["unexcused_absence"] = _steps(sum(_unexcused(data) for data in recent) / 60, {2: 4, 4: 10, 8: 16})
    points["absence_streak"] = _steps(_streak(window, registered), {3: 6, 5: 12})
    before = [d for d in school_days if d <= day][-30:-10]
    points["absence_trend"] = 8 if _rises(window[-10:], before, registered) else 0
    points["late_arrivals"] = _steps(sum(data.get("late", False) for data in inside), {4: 3, 8: 6})
    failed, graded, critical = _failed(day, marks)
    points["failed_courses"] = _steps(failed, {1: 6, 2: 14, 3: 18, 4: 24})
    points["credit_margin"] = _steps(graded, {100: 10, 200: 18, 251: 24})
    points["failed_courses" if points["credit_margin"] > points["failed_courses"] else "credit_margin"] = 0
    points["diploma_critical"] = 8 if critical else 0
    return points


def _unexcused(data: Mapping[str, Any]) -> int:
    return int(data.get("unexcused_minutes", 0))


def _absent(data: Mapping[str, Any]) -> int:
    return int(data.get("excused_minutes", 0)) + _unexcused(data)


def _share(lessons: list[Mapping[str, Any]]) -> Fraction:
    return Fraction(sum(map(_absent, lessons)), sum(data["minutes"] for data in lessons))


def _streak(window: list[date], registered: list[tuple[date, Mapping[str, Any]]]) -> int:
    streak = 0
    for day in reversed(window):
        lessons = [data for d, data in registered if d == day]
        if lessons and _share(lessons) < 1:
            break
        streak += bool(lessons)
    return streak


def _rises(recent: list[date], before: list[date], registered: list[tuple[date, Mapping[str, Any]]]) -> bool:
    now = [data for d, data in registered if d in recent]
    then = [data for d, data in registered if d in before]
    enough = (
        len({d for d, _ in registered if d in recent}) >= 5 and len({d for d, _ in registered if d in before}) >= 10
    )
    return enough and _share(now) - _share(then) >= Fraction(1, 10)


def _failed(day: date, marks: Mapping[Any, Any]) -> tuple[float, int, int]:
    """Failed courses (a warning is half), credits graded F or -, failed courses that the diploma needs."""

    def says(course: str, kind: str) -> Mapping[str, Any] | None:
        known = [data for data in marks.get((course, kind), []) if date.fromisoformat(data["recorded_on"]) <= day]
        newest = max(known, key=_rank) if known else None
        return newest if newest and newest.get("state", "recorded") == "recorded" else None

    failed, graded, critical = 0.0, 0, 0
    courses = {course for course, _ in marks}
    finals = [mark for course in courses if (mark := says(course, "final")) and mark["curriculum"] == "gy25"]
    passed = [mark for mark in finals if mark.get("subject") and mark["value"] in {"A", "B", "C", "D", "E"}]
    for course in courses:
        final, warning = says(course, "final"), says(course, "warning")
        mark = final or says(course, "term")
        if mark and mark["value"] in {"F", "-"}:
            if final in finals and any(_makes_up(other, final) for other in passed):
                continue
            failed += 1
            critical += mark.get("required", False) or mark.get("diploma_project", False)
            graded += mark["credits"] if mark is final else 0
        elif not final and warning and warning["value"] == "open":
            failed += 0.5
    return failed, graded, critical


def _makes_up(passed: Mapping[str, Any], failed: Mapping[str, Any]) -> bool:
    """Whether a passed level of a Gy25 subject makes up for a failed one."""
    return bool(passed["subject"] == failed.get("subject") and passed["recorded_on"] >= failed["recorded_on"])


def _steps(value: float | Fraction, steps: Mapping[int, int]) -> int:
    return max([points for threshold, points in steps.items() if value >= threshold], default=0)


def _level(level: str, scores: list[int]) -> str:
    names = ["universal", "targeted", "individual"]
    thresholds = {"targeted": 25, "individual": 50}
    days = scores[1:]
    rank = names.index(level)
    while rank and len(days) >= 10 and all(s <= thresholds[names[rank]] - 8 for s in days[-10:]):
        rank -= 1
    for higher in range(rank + 1, 3):
        threshold = thresholds[names[higher]]
        steady = len(days) >= 2 and min(days[-2:]) >= threshold
        jump = scores[-1] - scores[-2] >= 20 and scores[-1] >= threshold
        if steady or jump:
            rank = higher
    return names[rank]
