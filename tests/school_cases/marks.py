"""Marks: each day of recording is a fact of its own; what was recorded last until a day counts on it.

One failed final grade of 100 credits gives 10 points (`credit_margin`, more than the 6 of one failed course); one failed course
without a grade 6. Unless a case says otherwise the newest day is Monday, 7 September, with an attended lesson.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta

from shared.events import AnyEvent, GradeKind
from tests.builders import MONDAY, grade
from tests.school_cases.case import MAJA, Case, case, there

FINAL, TERM, WARNING = GradeKind.FINAL, GradeKind.TERM, GradeKind.WARNING
JANUARY, JUNE, AUGUST = date(2026, 1, 15), date(2026, 6, 5), date(2026, 8, 10)
TUESDAY = MONDAY + timedelta(days=1)
ONE_GRADE = {"credit_margin": 10}


def marks(
    name: str,
    *events: AnyEvent,
    points: Mapping[str, int],
    by_day: Mapping[date, tuple[int, str]] | None = None,
    as_of: date = MONDAY,
    reading: str = "",
) -> Case:
    """A case of marks, and one attended lesson on Monday."""
    return case(name, [*events, there(MONDAY)], points, as_of=as_of, by_day=by_day, reading=reading)


def math(day: date, value: str, **more: object) -> AnyEvent:
    """The final grade of a course of Gy11."""
    return grade(MAJA, day, **({"value": value, "curriculum": "gy11"} | more))  # type: ignore[arg-type]


def of(course: str, day: date, value: str, **more: object) -> AnyEvent:
    """The final grade of any course."""
    return grade(MAJA, day, course=course, value=value, **more)  # type: ignore[arg-type]


def warning(course: str, day: date, value: str = "open", **more: object) -> AnyEvent:
    """A warning."""
    return grade(MAJA, day, course=course, kind=WARNING, value=value, **more)  # type: ignore[arg-type]


DAYS_OF_MARKS = [
    marks("an F", math(JUNE, "F"), points=ONE_GRADE),
    marks("no basis for a grade counts as failed", math(JUNE, "-"), points=ONE_GRADE),
    # 10 in June, 0 from 10 August on.
    marks(
        "an F of June and an E of August",
        math(JUNE, "F"),
        math(AUGUST, "E", revision=2),
        points={},
        by_day={JUNE: (10, "universal"), AUGUST: (0, "universal")},
    ),
    marks(
        "the F of June again after the E of August",
        math(JUNE, "F"),
        math(AUGUST, "E", revision=2),
        math(JUNE, "F", revision=3),
        points={},
    ),
    marks("a later F follows an E", math(JUNE, "E", revision=9), math(AUGUST, "F", revision=1), points=ONE_GRADE),
    marks(
        "an F corrected on its own day",
        math(JUNE, "F"),
        math(JUNE, "D", revision=2),
        points={},
        by_day={JUNE: (0, "universal")},
    ),
    marks(
        "a correction older than what is known",
        math(JUNE, "F", revision=2),
        math(JUNE, "D", revision=1),
        points=ONE_GRADE,
    ),
    marks("the same F exported on 180 nights", *[math(JUNE, "F", revision=n) for n in range(180)], points=ONE_GRADE),
    marks("an F taken back", math(JUNE, "F"), math(JUNE, "F", state="retracted", revision=2), points={}),
    marks(
        "a retraction older than the F",
        math(JUNE, "F", revision=2),
        math(JUNE, "F", state="retracted", revision=1),
        points=ONE_GRADE,
    ),
    marks(
        "the E of August taken back: the F of June counts again",
        math(JUNE, "F"),
        math(AUGUST, "E", revision=2),
        math(AUGUST, "E", state="retracted", revision=3),
        points=ONE_GRADE,
    ),
    marks(
        "the F of June taken back, later than the E of August",
        math(JUNE, "F"),
        math(AUGUST, "E", revision=2),
        math(JUNE, "F", state="retracted", revision=3),
        points={},
    ),
    marks(
        "a retraction of a day on which nothing was recorded",
        math(JUNE, "F"),
        math(AUGUST, "F", state="retracted", revision=9),
        points=ONE_GRADE,
    ),
    marks(
        "a mark recorded on the newest day itself",
        math(MONDAY, "F"),
        points=ONE_GRADE,
        by_day={MONDAY: (10, "universal")},
    ),
    marks(
        "a mark recorded on the day after the newest lesson",
        math(TUESDAY, "F"),
        points=ONE_GRADE,
        as_of=TUESDAY,
        by_day={MONDAY: (0, "universal"), TUESDAY: (10, "universal")},
    ),
    marks("an F of six years ago", math(date(2020, 9, 8), "F"), points=ONE_GRADE),
    # SHA-256 of the canonical JSON: 5b18… for A, 3a40… for E, ca6b… for F, f724… for D: the greatest is valid.
    marks("equal revisions: F and A", math(JUNE, "F"), math(JUNE, "A"), points=ONE_GRADE),
    marks("equal revisions: F and D", math(JUNE, "F"), math(JUNE, "D"), points={}),
    # å as one character and as a with a ring: one course.
    marks(
        "a course spelt in two Unicode forms",
        of(unicodedata.normalize("NFD", "MÅL01"), JUNE, "F"),
        of(unicodedata.normalize("NFC", "MÅL01"), AUGUST, "E"),
        points={},
    ),
]

KINDS = [
    marks("a failed term mark", math(JUNE, "F", kind=TERM), points={"failed_courses": 6}),
    marks(
        "a term mark F that becomes D",
        math(JUNE, "F", kind=TERM),
        math(AUGUST, "D", kind=TERM),
        points={},
        by_day={JUNE: (6, "universal"), AUGUST: (0, "universal")},
    ),
    marks("a final E counts before a later term mark F", math(JUNE, "E"), math(AUGUST, "F", kind=TERM), points={}),
    marks(
        "a final F counts before a later term mark E", math(JUNE, "F"), math(AUGUST, "E", kind=TERM), points=ONE_GRADE
    ),
    marks("one open warning is half a course", warning("A", AUGUST), points={}),
    marks("two open warnings", warning("A", AUGUST), warning("B", AUGUST), points={"failed_courses": 6}),
    # 2 x 1/2 from 10 August on, 1/2 from Monday on.
    marks(
        "a warning that is closed still counted while it was open",
        warning("A", AUGUST),
        warning("B", AUGUST),
        warning("B", MONDAY, "closed"),
        points={},
        by_day={AUGUST: (6, "universal"), MONDAY: (0, "universal")},
    ),
    marks(
        "the closing of a warning taken back",
        warning("A", AUGUST),
        warning("B", AUGUST),
        warning("B", MONDAY, "closed"),
        warning("B", MONDAY, "closed", state="retracted", revision=2),
        points={"failed_courses": 6},
    ),
    # Four courses 24; 200 credits 18: the larger.
    marks(
        "four failed courses of 50 credits",
        *[of(f"K{n}", JUNE, "F", points=50) for n in range(4)],
        points={"failed_courses": 24},
    ),
    # 250 credits 18, two courses 14; 251 would be 24.
    marks(
        "exactly 250 credits",
        of("A", JUNE, "F", points=100),
        of("B", JUNE, "F", points=150),
        points={"credit_margin": 18},
    ),
    # 10 + 8 = 18.
    marks(
        "a failed course that the diploma needs",
        math(JUNE, "F", required=True),
        points={"credit_margin": 10, "diploma_critical": 8},
    ),
    # Monday's lesson changes nothing: 24 + 8 = 32 on 5 June, up 32 from 0: at once.
    case(
        "300 failed credits that the diploma needs",
        [math(JUNE, "F", points=300, required=True)],
        {"credit_margin": 24, "diploma_critical": 8},
        level="targeted",
        as_of=JUNE,
    ),
]

CASES = [*DAYS_OF_MARKS, *KINDS]
