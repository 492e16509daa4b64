"""A student of whom so much is told as no school has: everything up to its bound, with the longest codes there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from services.scoring.bounds import compared
from services.scoring.facts import Fact, Lesson, LessonFact, Mark, MarkFact, PlaceFact
from shared.events.places import Place

LETTER = "𝔎"
"""Four bytes in UTF-8."""


def code(*parts: object) -> str:
    """A code of 128 characters and about 512 bytes."""
    return "-".join(map(str, parts)).ljust(128, LETTER)


def digest(*parts: object) -> str:
    return code(*parts).encode().hex()[:64].ljust(64, "f")


def lessons(days: list[date], each: int) -> Iterator[Fact]:
    for day in days:
        for n in range(each):
            version = Lesson(
                2**53 - 1, digest(day, n), "registered", 720, 10, 20, True, code("unit", day, n), 8 * 60 + n
            )
            yield LessonFact(day.toordinal(), code(day, n), version)


def marks(courses: int, dates: int, first: date) -> Iterator[Fact]:
    for course in range(courses):
        for n in range(dates):
            replaced = tuple(compared(code("replaced", course, n, other)) for other in range(50))
            version = Mark(
                2**53 - 1,
                digest(course, n),
                "FE-"[n % 3],
                400,
                True,
                compared(code("subject")),
                replaced,
                code("unit", course, n),
            )
            kind = ("warning", "term", "final")[n % 3]
            yield MarkFact(code("course", course), kind, (first + timedelta(n)).toordinal(), version)


def places(number: int, first: date) -> Iterator[Fact]:
    for n in range(number):
        starts_on = (first + timedelta(n)).toordinal()
        groups = tuple(f"{n}-{group}".ljust(20, LETTER)[:20] for group in range(100))
        yield PlaceFact(
            Place(code("unit", n), starts_on, starts_on + 400, True, False, True, groups, (), 2**53 - 1, digest(n))
        )
