"""Days of the fold, and windows that begin with the school year."""

from __future__ import annotations

from datetime import date

from shared.events import AnyEvent, AttendanceState
from tests.builders import attendance, grade, school_days
from tests.school_cases.case import AUGUST, MAJA, case, ill, there, truant

DAYS = school_days(AUGUST, 42)
"""17 August to 13 October."""
JUNE = school_days(date(2026, 6, 1), 22)
"""1 to 30 June."""


def unknown(day: date) -> AnyEvent:
    """A day of one lesson without a register."""
    return attendance(MAJA, day, hour=8, state=AttendanceState.UNREGISTERED)


def passed(day: date) -> AnyEvent:
    """A mark that gives no points."""
    return grade(MAJA, day, value="C")


GONE = [truant(day, 60) for day in DAYS[:12]]
"""12 days without excuse, an hour each, until 1 September.

Points: 10 for four hours from day 4, 16 for eight from day 8; a streak of 12 from day 5; a share of 20 from day 10. So day 7 has
22, day 8 28, day 9 28 (`targeted`: the second day at 25 or more), day 12 48.
"""

UNKNOWN = [
    # On day 32 (29 September) the last 20 school days have no register; of 30 calendar days 31 August and 1 September are
    # left with 120 minutes. The level has not moved on any of the 20 days.
    case(
        "20 days without register are no good news",
        [*GONE, *[unknown(day) for day in DAYS[12:32]]],
        {"unexcused_absence": 4},
        level="targeted",
        as_of=DAYS[31],
        by_day={DAYS[11]: (48, "targeted"), DAYS[31]: (4, "targeted")},
    ),
    # 9 attended days after them, all at 0 points: one too few.
    case(
        "nine attended days after 20 without register are not yet good news",
        [*GONE, *[unknown(day) for day in DAYS[12:32]], *[there(day) for day in DAYS[32:41]]],
        {},
        level="targeted",
        as_of=DAYS[40],
    ),
    case(
        "ten attended days after 20 without register are good news",
        [*GONE, *[unknown(day) for day in DAYS[12:32]], *[there(day) for day in DAYS[32:42]]],
        {},
        as_of=DAYS[41],
    ),
    # Day 8: 28 for the first time, up 6 from 22. Day 9 has no register: 28 again, and no second day.
    case(
        "a day without register raises no level",
        [*GONE[:8], unknown(DAYS[8])],
        {"unexcused_absence": 16, "absence_streak": 12},
        as_of=DAYS[8],
        by_day={DAYS[7]: (28, "universal"), DAYS[8]: (28, "universal")},
    ),
    # Day 10 is the second day with a register at 25 or more.
    case(
        "the second day at the threshold may come after one without register",
        [*GONE[:8], unknown(DAYS[8]), truant(DAYS[9], 60)],
        {"unexcused_absence": 16, "absence_streak": 12},
        level="targeted",
        as_of=DAYS[9],
    ),
    case(
        "a day without register on which a mark was recorded is a day",
        [*GONE[:8], unknown(DAYS[8]), passed(DAYS[8])],
        {"unexcused_absence": 16, "absence_streak": 12},
        level="targeted",
        as_of=DAYS[8],
    ),
    case(
        "a day without lessons on which a mark was recorded is a day",
        [*GONE[:8], passed(DAYS[8])],
        {"unexcused_absence": 16, "absence_streak": 12},
        level="targeted",
        as_of=DAYS[8],
    ),
    case(
        "a mark that was taken back makes no day",
        [*GONE[:8], passed(DAYS[8]), grade(MAJA, DAYS[8], value="C", state="retracted", revision=2)],
        {"unexcused_absence": 16, "absence_streak": 12},
        as_of=DAYS[7],
        reading="what is taken back was never recorded",
    ),
    # The last 20 school days: 9 ill ones and 11 without register. Too few registers for a share; the streak is 9. On day 10:
    # 12 + 20, a jump of 20.
    case(
        "days without register push others out of the window",
        [*[ill(day) for day in DAYS[:10]], *[unknown(day) for day in DAYS[10:21]]],
        {"absence_streak": 12},
        level="targeted",
        as_of=DAYS[20],
        by_day={DAYS[8]: (12, "universal"), DAYS[9]: (32, "targeted"), DAYS[20]: (12, "targeted")},
    ),
    case("a student of whom nothing was registered", [unknown(day) for day in DAYS[:5]], {}, as_of=DAYS[4]),
]

FIRST = date(2026, 7, 1)
LAST = date(2026, 6, 30)
NINE, TEN = DAYS[:9], DAYS[:10]

SCHOOL_YEAR = [
    # 12 June: 3 of 20 days 15 %: 15, streak 6, from 0 to 30 % in ten days 8: 29, the first day at 25. August: nothing of it.
    case(
        "three days ill in June and two in August",
        [
            *[there(day, 300) for day in school_days(date(2026, 5, 6), 25)],
            *[ill(day, 300) for day in [*JUNE[7:10], date(2026, 8, 19), date(2026, 8, 20)]],
        ],
        {},
        as_of=date(2026, 8, 20),
        by_day={JUNE[9]: (29, "universal"), date(2026, 8, 19): (0, "universal"), date(2026, 8, 20): (0, "universal")},
    ),
    # 120 minutes on each side: only those of the new year count.
    case("unexcused on 30 June and on 1 July", [truant(LAST), truant(FIRST)], {"unexcused_absence": 4}, as_of=FIRST),
    case(
        "unexcused twice on 1 and 2 July",
        [truant(FIRST), truant(date(2026, 7, 2))],
        {"unexcused_absence": 10},
        as_of=date(2026, 7, 2),
    ),
    case(
        "unexcused twice until 30 June",
        [truant(date(2026, 6, 29)), truant(LAST)],
        {"unexcused_absence": 10},
        as_of=LAST,
    ),
    # 30 June: streak 3. 1 July: streak 1.
    case(
        "ill over the turn of the school year",
        [*[ill(day) for day in JUNE[-3:]], ill(FIRST)],
        {},
        as_of=FIRST,
        by_day={LAST: (6, "universal"), FIRST: (0, "universal")},
    ),
    # 10 days ill: streak 12 and share 20, a jump: targeted. 3 July: no school days in the new year, 0 points on one day.
    case(
        "a mark in July sees no absence of June",
        [*[ill(day) for day in JUNE[-10:]], passed(date(2026, 7, 3))],
        {},
        level="targeted",
        as_of=date(2026, 7, 3),
        by_day={LAST: (32, "targeted"), date(2026, 7, 3): (0, "targeted")},
    ),
    # Half of each day is excused: never a full day. 9 days of the new year are too few for a share.
    case(
        "nine registered days of the new school year",
        [*[there(day) for day in JUNE], *[attendance(MAJA, day, hour=8, excused=30) for day in NINE]],
        {},
        as_of=NINE[-1],
    ),
    # The 10th: 50 %. Of the old year's 22 attended days nothing is left to compare with.
    case(
        "ten registered days of the new school year",
        [*[there(day) for day in JUNE], *[attendance(MAJA, day, hour=8, excused=30) for day in TEN]],
        {"total_absence": 20},
        as_of=TEN[-1],
    ),
    # 20 attended days before them within the year: 300 of 1200 minutes in the last 20 days is 25 %; from 0 to 50 %.
    case(
        "ten half days after twenty attended ones in one school year",
        [*[there(day) for day in DAYS[:20]], *[attendance(MAJA, day, hour=8, excused=30) for day in DAYS[20:30]]],
        {"total_absence": 20, "absence_trend": 8},
        level="targeted",
        as_of=DAYS[29],
    ),
    case(
        "late twice in June and twice in August",
        [attendance(MAJA, day, hour=8, unexcused=5, late=True) for day in [*JUNE[-2:], *DAYS[:2]]],
        {},
        as_of=DAYS[1],
    ),
    case(
        "late four times in August",
        [attendance(MAJA, day, hour=8, unexcused=5, late=True) for day in DAYS[:4]],
        {"late_arrivals": 3},
        as_of=DAYS[3],
    ),
    # 30 calendar days up to 16 September begin on 18 August.
    case(
        "unexcused on the first of 30 calendar days",
        [truant(date(2026, 8, 18)), there(date(2026, 9, 16))],
        {"unexcused_absence": 4},
        as_of=date(2026, 9, 16),
    ),
    case("unexcused on the day before them", [truant(AUGUST), there(date(2026, 9, 16))], {}, as_of=date(2026, 9, 16)),
]

CASES = [*UNKNOWN, *SCHOOL_YEAR]
