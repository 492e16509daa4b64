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
    """From all versions of all marks: on each day the highest version recorded until then holds, unless it is a retraction."""
    arrivals = sorted(
        (version.recorded_on, course, kind, version)
        for (course, kind), versions in marks.items()
        for version in versions
    )
    held: dict[str, dict[str, Mark]] = {}
    shares: dict[str, Courses] = {}
    found: Timeline = []
    total = NONE
    for day, course, kind, version in arrivals:
        of_course = held.setdefault(course, {})
        if kind not in of_course or version > of_course[kind]:
            of_course[kind] = version
        share, before = _share(of_course), shares.get(course, NONE)
        if share != before:
            shares[course] = share
            total = Courses(*[whole + new - old for whole, new, old in zip(total, share, before, strict=True)])
        if found and found[-1][0] == day:
            found.pop()
        found.append((day, total))
    return found


def _share(held: Mapping[str, Mark]) -> Courses:
    final, term, warning = held.get("final"), held.get("term"), held.get("warning")
    is_graded = final is not None and final.value is not None
    mark = final if is_graded else term
    if mark is not None and mark.value in FAILING:
        return Courses(1, 0, mark.credits if is_graded else 0, int(mark.critical))
    is_warned = not is_graded and warning is not None and warning.value == "open"
    return Courses(0, 1, 0, 0) if is_warned else NONE
