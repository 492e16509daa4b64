"""The pure part alone: a student with 60 school days of 5 lessons and 30 courses, scored again after one more lesson.

Its baseline is a fixed loop of plain Python over as many lessons, timed in turn with it: the ratio says the same on
any machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from services.scoring.facts import Fact
from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.student import Student, from_facts
from shared.events import AnyEvent, GradeKind
from tests.builders import MONDAY, STOCKHOLM, attendance, grade, pseudonym, school_days

SCHOOL_DAYS = 60
LESSONS_A_DAY = 5
COURSES = 30
_STUDENT = pseudonym("bench")
_DAYS = school_days(MONDAY, SCHOOL_DAYS)


class Timing(NamedTuple):
    """Microseconds a call, of many."""

    best: float
    median: float


def term() -> list[Fact]:
    """All facts of the student but the newest lesson: absent in every ninth, a mark in each course."""
    lessons: list[AnyEvent] = [
        attendance(_STUDENT, day, lesson=str(n), unexcused=60 if (position * LESSONS_A_DAY + n) % 9 == 0 else 0)
        for position, day in enumerate(_DAYS)
        for n in range(LESSONS_A_DAY)
    ]
    marks: list[AnyEvent] = [
        grade(_STUDENT, _DAYS[n], course=f"K{n}", kind=GradeKind.TERM, value="F" if n % 10 == 0 else "C")
        for n in range(COURSES)
    ]
    return [_fact(event) for event in [*lessons[:-1], *marks]]


def newest_lesson(revision: int) -> Fact:
    """One more lesson of the newest day: absent in every other revision, so that each is news."""
    absent = 60 if revision % 2 else 0
    return _fact(attendance(_STUDENT, _DAYS[-1], lesson=str(LESSONS_A_DAY - 1), unexcused=absent, revision=revision))


def _fact(event: AnyEvent) -> Fact:
    return incoming(event, STOCKHOLM).kept.fact


def reference(days: list[list[tuple[int, int]]]) -> int:
    """The baseline: scheduled and absent minutes of all lessons, summed a day at a time."""
    worst = 0
    for lessons in days:
        scheduled = absent = 0
        for minutes, missed in lessons:
            scheduled += minutes
            absent += missed
        worst = max(worst, 100 * absent // scheduled)
    return worst


def incremental(student: Student, model: Model, news: Fact) -> int:
    """What happens in scoring for each lesson, without reading and writing."""
    student.apply([news])
    return student.assess(model).score


def from_scratch(facts: list[Fact], model: Model) -> int:
    """What happens when an old day is corrected."""
    return from_facts(facts).assess(model).score


def measure(rounds: int, progress: Callable[[int], None]) -> dict[str, Timing]:
    """Times the baseline and both ways in turn."""
    facts, model = term(), Model()
    days = [[(60, 60 if (day * LESSONS_A_DAY + n) % 9 == 0 else 0) for n in range(LESSONS_A_DAY)] for day in range(60)]
    student = from_facts(facts)
    student.assess(model)
    times: dict[str, list[float]] = {"reference loop": [], "one more lesson": [], "from scratch": []}
    for number in range(rounds):
        news = newest_lesson(number + 1)
        times["reference loop"].append(_microseconds(lambda: reference(days)))
        times["one more lesson"].append(_microseconds(lambda news=news: incremental(student, model, news)))  # type: ignore[misc]
        if number % 10 == 0:
            times["from scratch"].append(_microseconds(lambda: from_scratch(facts, model)))
        progress(number + 1)
    return {name: Timing(min(found), median(found)) for name, found in times.items()}


def _microseconds(work: Callable[[], int]) -> float:
    started = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - started) / 1000
