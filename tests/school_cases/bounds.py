"""More told of one student than anyone has: what is too much is unusable as a whole, whatever arrived first.

A day of more than 40 lessons, a course of more than 200 marks and warnings, all marks in more than 150 courses. Counted is what
was ever told of: cancelled lessons too and what was taken back, a correction not again. Places: `bounds_of_places`. What is said
when one more arrives: `bounds_in_time`.
"""

from __future__ import annotations

from datetime import date, timedelta

from shared.events import AnyEvent, AttendanceRecordedEvent, AttendanceState
from tests.builders import MONDAY, attendance, enrolment, grade
from tests.school_cases.case import AUGUST, MAJA, case, ill, there, truant
from tests.school_cases.days import DAYS, GONE, passed, unknown
from tests.school_cases.marks import JUNE, ONE_GRADE, TERM, WARNING, math, of, warning
from tests.school_cases.marks import marks as of_marks
from tests.school_cases.where import OTHER

CANCELLED, RETRACTED, UNREGISTERED = AttendanceState.CANCELLED, AttendanceState.RETRACTED, AttendanceState.UNREGISTERED
FRIDAY, TUESDAY = MONDAY - timedelta(days=3), MONDAY + timedelta(days=1)
TWO_HOURS = {"unexcused_absence": 4}


def further(
    day: date, count: int, state: AttendanceState = CANCELLED, *, first: int = 1, **more: object
) -> list[AnyEvent]:
    """So many more lessons of a day."""
    return [
        attendance(MAJA, day, lesson=f"further {n}", hour=8, state=state, **more)  # type: ignore[arg-type]
        for n in range(first, first + count)
    ]


def short(day: date, count: int) -> list[AnyEvent]:
    """So many lessons of three minutes, one after the other, all missed without excuse: 40 are 120 minutes."""
    return [attendance(MAJA, day, lesson=str(n), minutes=3, unexcused=3) for n in range(1, count + 1)]


def called(event: AttendanceRecordedEvent, lesson: str) -> AnyEvent:
    """The same lesson under an id that does not name its day."""
    return event.model_copy(update={"data": event.data.model_copy(update={"lesson": lesson})})


def numbered(day: date, count: int) -> list[AnyEvent]:
    """120 minutes without excuse, and lessons that were cancelled: ids from 1 on."""
    first = attendance(MAJA, day, minutes=120, unexcused=120, hour=8)
    rest = [attendance(MAJA, day, lesson=str(n), hour=8, state=CANCELLED) for n in range(2, count + 1)]
    return [called(event, f"lesson {n}") for n, event in enumerate([first, *rest], 1)]


LESSONS = [
    # 40 x 3 minutes.
    case("40 lessons on a day", short(MONDAY, 40), TWO_HOURS, as_of=MONDAY),
    # 123 minutes would be 4 points. The day is a school day all the same.
    case("41 lessons on a day", short(MONDAY, 41), {}, as_of=MONDAY, by_day={MONDAY: (0, "universal")}),
    case("39 lessons beside one that were cancelled", [truant(MONDAY), *further(MONDAY, 39)], TWO_HOURS, as_of=MONDAY),
    case("40 lessons beside one that were cancelled", [truant(MONDAY), *further(MONDAY, 40)], {}, as_of=MONDAY),
    case(
        "40 lessons beside one without register",
        [truant(MONDAY), *further(MONDAY, 40, UNREGISTERED)],
        {},
        as_of=MONDAY,
    ),
    # Two lessons are left of the 41: still too many were told of.
    case(
        "41 lessons of which 39 were taken back",
        [truant(MONDAY), *further(MONDAY, 40, UNREGISTERED), *further(MONDAY, 39, RETRACTED, revision=2)],
        {},
        as_of=MONDAY,
    ),
    case(
        "39 lessons beside one that were never told of but in being taken back",
        [truant(MONDAY), *further(MONDAY, 39, RETRACTED)],
        TWO_HOURS,
        as_of=MONDAY,
    ),
    # 1 + 39 lessons, 89 statements.
    case(
        "50 corrections of one of 40 lessons",
        [*[truant(MONDAY, revision=n) for n in range(50)], *further(MONDAY, 39)],
        TWO_HOURS,
        as_of=MONDAY,
    ),
    case(
        "21 lessons at one school and 20 at another",
        [truant(MONDAY), *further(MONDAY, 20), *further(MONDAY, 20, unit=OTHER, first=21)],
        {},
        as_of=MONDAY,
    ),
    # 40 keys a day under 40 ids. 120 minutes on each: 240.
    case(
        "the same 40 ids on two days",
        [*numbered(FRIDAY, 40), *numbered(MONDAY, 40)],
        {"unexcused_absence": 10},
        as_of=MONDAY,
    ),
    case(
        "41 lessons on Friday leave Monday as it is",
        [*numbered(FRIDAY, 41), *numbered(MONDAY, 40)],
        TWO_HOURS,
        as_of=MONDAY,
        by_day={FRIDAY: (0, "universal"), MONDAY: (4, "universal")},
    ),
    # Four days count of the five: 6, not 12.
    case(
        "a day of 41 lessons neither counts in a streak nor ends it",
        [*[ill(day) for day in DAYS[:5]], *further(DAYS[2], 40)],
        {"absence_streak": 6},
        as_of=DAYS[4],
    ),
    # Presence ends a streak; on the third day it is not known: four days, 6.
    case(
        "presence on a day of 41 lessons ends no streak",
        [*[ill(day) for day in [*DAYS[:2], *DAYS[3:5]]], there(DAYS[2]), *further(DAYS[2], 40)],
        {"absence_streak": 6},
        as_of=DAYS[4],
    ),
    # As on a day without register: 28 on day 8 for the first time, 28 on day 9 (480 minutes, a streak of 8), which is no day.
    case(
        "a day of 41 lessons raises no level",
        [*GONE[:9], *further(DAYS[8], 40)],
        {"unexcused_absence": 16, "absence_streak": 12},
        as_of=DAYS[8],
        by_day={DAYS[7]: (28, "universal"), DAYS[8]: (28, "universal")},
    ),
    case(
        "a day of 41 lessons on which a mark was recorded is a day",
        [*GONE[:9], *further(DAYS[8], 40), passed(DAYS[8])],
        {"unexcused_absence": 16, "absence_streak": 12},
        level="targeted",
        as_of=DAYS[8],
    ),
    # As "days without register push others out of the window": the last 20 school days are 9 ill ones, the one of 41 lessons
    # and 10 without register. Too few registers for a share; the streak is 9.
    case(
        "a day of 41 lessons pushes another out of the window",
        [*[ill(day) for day in DAYS[:10]], *further(DAYS[10], 41), *[unknown(day) for day in DAYS[11:21]]],
        {"absence_streak": 12},
        level="targeted",
        as_of=DAYS[20],
    ),
    case(
        "41 lessons that were all cancelled",
        [truant(FRIDAY), *further(MONDAY, 41)],
        TWO_HOURS,
        as_of=MONDAY,
        reading="what lies in an unusable day is not looked at: it is a school day of which nothing is known",
    ),
    case(
        "41 lessons before the first day of the place",
        [enrolment(MAJA, TUESDAY), truant(MONDAY), *further(MONDAY, 40)],
        {},
        as_of=MONDAY,
        reading="what lies in an unusable day is not looked at: it is a school day of which nothing is known",
    ),
]


def taken_back(course: str, count: int, first: date = date(2024, 1, 1)) -> list[AnyEvent]:
    """So many marks of a course, each of a day of its own, all taken back: they count for nothing and are no days."""
    return [
        grade(MAJA, first + timedelta(days=n), course=course, kind=TERM, value="C", state="retracted")
        for n in range(count)
    ]


def half_taken_back(course: str, count: int) -> list[AnyEvent]:
    """So many closed warnings and term marks C, two of a day, the later half taken back: they give no points."""
    first = date(2024, 1, 1)
    days = [first + timedelta(days=n // 2) for n in range(count)]
    return [
        grade(
            MAJA,
            day,
            course=course,
            kind=WARNING if n % 2 else TERM,
            value="closed" if n % 2 else "C",
            state="recorded" if n < count // 2 else "retracted",
        )
        for n, day in enumerate(days)
    ]


def courses(count: int) -> list[AnyEvent]:
    """So many courses passed."""
    return [of(f"course {n}", JUNE, "C") for n in range(count)]


MATH = "MATMAT01a"

MARKS = [
    of_marks("an F among 200 marks of a course", math(JUNE, "F"), *half_taken_back(MATH, 199), points=ONE_GRADE),
    of_marks("an F among 201 marks of a course", math(JUNE, "F"), *half_taken_back(MATH, 200), points={}),
    of_marks("an F beside 199 marks that were taken back", math(JUNE, "F"), *taken_back(MATH, 199), points=ONE_GRADE),
    of_marks("an F beside 200 marks that were taken back", math(JUNE, "F"), *taken_back(MATH, 200), points={}),
    of_marks("201 revisions of one F", *[math(JUNE, "F", revision=n) for n in range(201)], points=ONE_GRADE),
    # 100 credits of the one that is left.
    of_marks(
        "another course than the one of 201 marks",
        math(JUNE, "F"),
        of("ENGENG05", JUNE, "F"),
        *taken_back(MATH, 200),
        points=ONE_GRADE,
    ),
    # Two halves would be 6.
    of_marks(
        "one open warning in a course of 201 marks, one in another",
        warning("A", AUGUST),
        warning("B", AUGUST),
        *taken_back("A", 200),
        points={},
    ),
    of_marks(
        "an A in a course of 201 marks makes up for nothing",
        of("A", JUNE, "F"),
        of("B", AUGUST, "A", replaces=("A",)),
        *taken_back("B", 200),
        points=ONE_GRADE,
    ),
    of_marks(
        "a passed level of 201 marks makes up for no other of its subject",
        of("MAT1", JUNE, "F", subject="MAT"),
        of("MAT2", AUGUST, "E", subject="MAT"),
        *taken_back("MAT2", 200),
        points=ONE_GRADE,
    ),
    # The newest day would be Tuesday.
    of_marks(
        "a mark in a course of 201 marks makes no day",
        math(TUESDAY, "F"),
        *taken_back(MATH, 200),
        points={},
        as_of=MONDAY,
        reading="what counts for nothing makes no day, like what was taken back",
    ),
    of_marks("an F among 150 courses", math(JUNE, "F"), *courses(149), points=ONE_GRADE),
    of_marks("an F among 151 courses", math(JUNE, "F"), *courses(150), points={}),
    of_marks(
        "an F among 151 courses, one of which was taken back",
        math(JUNE, "F"),
        *courses(149),
        *taken_back("B", 1),
        points={},
    ),
    of_marks(
        "courses that are merely replaced are not told of",
        math(JUNE, "F"),
        *courses(148),
        of("B", AUGUST, "E", replaces=("never", "heard", "of")),
        points=ONE_GRADE,
        reading="a course is one of which a mark or warning was told",
    ),
]

CASES = [*LESSONS, *MARKS]
