"""How a student's courses stand, day by day: a step function that changes only on days on which marks were recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.scoring.facts import Mark

FAILING = frozenset({"F", "-"})

Marks = Mapping[tuple[str, str], Sequence[Mark]]
"""Versions of marks by (course, kind)."""


class Courses(NamedTuple):
    """How the courses stand."""

    failed: int = 0
    """Courses whose grade, or else term mark, is F or -."""
    warned: int = 0
    """Courses with an open warning and neither a grade nor a failed term mark."""
    failed_credits: int = 0
    """Credits of the courses whose grade is F or -: a term mark has lost no credits yet."""
    critical: int = 0
    """Of the failed courses those that the diploma needs."""


NONE = Courses()

Timeline = list[tuple[int, Courses]]
"""(day number, how the courses stand from that day on), in order of days."""


def timeline(marks: Marks) -> Timeline:
    """From all versions of all marks: on each day the highest version recorded until then holds, unless it is a retraction.

    Of the levels of a Gy25 subject the last passed grade counts: it makes up for an F or - at another level before it.
    """
    arrivals = sorted(
        (version.recorded_on, course, kind, version)
        for (course, kind), versions in marks.items()
        for version in versions
    )
    held: dict[str, dict[str, Mark]] = {}
    levels: dict[str, set[str]] = {}
    shares: dict[str, Courses] = {}
    found: Timeline = []
    total = NONE
    for day, course, kind, version in arrivals:
        of_course = held.setdefault(course, {})
        before = of_course.get(kind)
        if before is None or version > before:
            of_course[kind] = version
        related = {course}
        for subject in {version.subject, before.subject if before else ""} - {""}:
            related |= levels.setdefault(subject, {course})
            levels[subject].add(course)
        for one in related:
            share, old = _share(held[one], [held[level] for level in related]), shares.get(one, NONE)
            if share != old:
                shares[one] = share
                total = Courses(*[whole + new - gone for whole, new, gone in zip(total, share, old, strict=True)])
        if found and found[-1][0] == day:
            found.pop()
        found.append((day, total))
    return found


def _share(held: Mapping[str, Mark], levels: Sequence[Mapping[str, Mark]]) -> Courses:
    """What a course adds. `levels`: what is held of it and of the other levels of its subject."""
    final, term, warning = held.get("final"), held.get("term"), held.get("warning")
    is_graded = final is not None and final.value is not None
    mark = final if is_graded else term
    if mark is not None and mark.value in FAILING:
        is_made_up_for = is_graded and any(_makes_up(level.get("final"), mark) for level in levels)
        return NONE if is_made_up_for else Courses(1, 0, mark.credits if is_graded else 0, int(mark.critical))
    is_warned = not is_graded and warning is not None and warning.value == "open"
    return Courses(0, 1, 0, 0) if is_warned else NONE


def _makes_up(final: Mark | None, failed: Mark) -> bool:
    return (
        final is not None
        and final.value is not None
        and final.value not in FAILING
        and bool(final.subject)
        and final.subject == failed.subject
        and final.recorded_on >= failed.recorded_on
    )
