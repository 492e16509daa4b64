"""One lesson or mark too many arrives, and what is said of the student's level."""

from __future__ import annotations

from datetime import date

from tests.builders import MONDAY
from tests.school_cases.bounds import MATH, RETRACTED, courses, further, taken_back
from tests.school_cases.case import AlertCase, Said, there, truant
from tests.school_cases.days import DAYS, GONE, unknown
from tests.school_cases.marks import JUNE, math, of

TARGETED = Said("universal", "targeted")

ALERT_CASES = [
    # Day 9 is the second at 28. Unusable it is no day, and the level was raised on no other.
    AlertCase(
        "the 41st lesson of a day takes back the alert that it raised",
        [
            ([*GONE[:9], *further(DAYS[8], 39)], [TARGETED]),
            (further(DAYS[8], 1, first=40), [Said("targeted", "universal", frozenset({"attendance"}))]),
            # It stays unusable.
            (further(DAYS[8], 40, RETRACTED, revision=2), []),
            ([truant(DAYS[8], 60, revision=2)], []),
        ],
    ),
    # Without day 8: 28 on day 9 for the first time (480 minutes, a streak of 8), up 6 from 22; day 10 is the second one.
    AlertCase(
        "an alert that came a day too early because of a day of 41 lessons stands",
        [
            ([*GONE[:9], *further(DAYS[7], 39)], [TARGETED]),
            ([GONE[9]], []),
            (further(DAYS[7], 1, first=40), []),
        ],
    ),
    # The F is 10. Day 4: 26, day 5: 32. After 20 days without register 240 minutes are 10 more on day 30 and on the ten attended
    # days after it (30 calendar days): 20, never 17. Of ten days with a register 240 of 5,640 minutes are 4.3 %. Without day 30
    # these ten days have 10 points: the level falls on the last of them. The alert was right.
    AlertCase(
        "a level falls that only a day of 41 lessons had kept up",
        [
            ([math(date(2026, 8, 10), "F"), *GONE[:9]], [TARGETED]),
            (
                [
                    *[unknown(day) for day in DAYS[9:29]],
                    truant(DAYS[29], 240),
                    *further(DAYS[29], 39),
                    *[there(day, 600) for day in DAYS[30:40]],
                ],
                [],
            ),
            (further(DAYS[29], 1, first=40), [Said("targeted", "universal")]),
        ],
    ),
    # 24 + 8 = 32 from June on.
    AlertCase(
        "the 201st mark of a course takes back the alert that it raised",
        [
            ([math(JUNE, "F", points=300, required=True), there(MONDAY), *taken_back(MATH, 199)], [TARGETED]),
            (
                taken_back(MATH, 1, date(2023, 12, 31)),
                [Said("targeted", "universal", frozenset({"mark"}))],
            ),
            ([math(JUNE, "F", points=300, required=True, revision=2)], []),
        ],
    ),
    AlertCase(
        "the 151st course takes back an alert that marks had raised",
        [
            ([math(JUNE, "F", points=300, required=True), there(MONDAY), *courses(149)], [TARGETED]),
            ([of("one more", JUNE, "C")], [Said("targeted", "universal", frozenset({"mark"}))]),
            ([of("one more", JUNE, "C", state="retracted", revision=2)], []),
        ],
    ),
]
