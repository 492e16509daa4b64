"""Minutes of one day: each counted once. The signs: 120 unexcused minutes are 4 points, 240 are 10, 480 are 16.

In comments E is excused absence, U unexcused, P presence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from shared.events import AnyEvent, AttendanceState
from tests.builders import MONDAY, attendance, school_days
from tests.school_cases.case import AUGUST, MAJA, Case, case, ill, there, truant

CANCELLED, RETRACTED, UNREGISTERED = (
    AttendanceState.CANCELLED,
    AttendanceState.RETRACTED,
    AttendanceState.UNREGISTERED,
)
THREE, FOUR, FIVE, TEN = (school_days(AUGUST, count) for count in (3, 4, 5, 10))
TUESDAY = date(2026, 9, 8)
FALL_BACK, SPRING_FORWARD = date(2026, 10, 25), date(2027, 3, 28)


def monday(name: str, *events: AnyEvent, points: int, day: date = MONDAY, reading: str = "") -> Case:
    """A case of one day whose unexcused minutes give those points."""
    return case(name, events, {"unexcused_absence": points} if points else {}, as_of=day, reading=reading)


def streak(name: str, days: Sequence[Sequence[AnyEvent]], points: int, *, last: date, reading: str = "") -> Case:
    """A case of several days that give those points for a streak."""
    events = [event for of_day in days for event in of_day]
    return case(name, events, {"absence_streak": points} if points else {}, as_of=last, reading=reading)


def part(day: date, excused: int, unexcused: int, *, minutes: int = 240, hour: int = 8, late: bool = False) -> AnyEvent:
    """A long lesson missed in part."""
    return attendance(MAJA, day, minutes=minutes, hour=hour, excused=excused, unexcused=unexcused, late=late)


def unknown(day: date, minutes: int, hour: int = 9, lesson: str = "unknown") -> AnyEvent:
    """A lesson without a register."""
    return attendance(MAJA, day, lesson=lesson, minutes=minutes, hour=hour, state=UNREGISTERED)


OVERLAPS = [
    # 8-10 twice: 120 minutes, not 240.
    monday("two registers of the same hours", truant(MONDAY), truant(MONDAY, lesson="2"), points=4),
    # 8-10 and 9-11: 180 minutes, not 240.
    monday("two registers half over each other", truant(MONDAY), truant(MONDAY, lesson="2", hour=9), points=4),
    # P 8-15 around U 10-12: U.
    monday(
        "unexcused in a lesson inside an attended day",
        there(MONDAY, 420),
        truant(MONDAY, lesson="2", hour=10),
        points=4,
    ),
    # U 8-16 around P 10-11: 480 - 60 = 420.
    monday(
        "attended one lesson of an unexcused day", truant(MONDAY, 480), there(MONDAY, lesson="2", hour=10), points=10
    ),
    monday(
        "attended and unexcused in registers of the same hours",
        truant(MONDAY),
        there(MONDAY, 120, lesson="2"),
        points=0,
        reading="only a longer register's presence is beaten",
    ),
    # U 8-10, P 9-11: P holds 9-10, 60 minutes of U are left.
    monday(
        "attended and unexcused in registers half over each other",
        truant(MONDAY),
        there(MONDAY, 120, lesson="2", hour=9),
        points=0,
        reading="neither is around the other: presence",
    ),
    # U 10-12, P 11-16: longer but not around; P holds 11-12, 60 minutes of U are left.
    monday(
        "a longer attended register that begins within the unexcused lesson",
        truant(MONDAY, hour=10),
        there(MONDAY, 300, lesson="2", hour=11),
        points=0,
        reading="around it means from before its beginning until after its end",
    ),
    monday(
        "excused and unexcused in the same hours",
        ill(MONDAY, 120),
        truant(MONDAY, lesson="2"),
        points=0,
        reading="what somebody excused is excused",
    ),
    monday(
        "unexcused in a lesson of an excused day",
        ill(MONDAY, 420),
        truant(MONDAY, lesson="2", hour=10),
        points=0,
        reading="what somebody excused is excused",
    ),
    # P beats E, U beats the longer P: U 10-12.
    monday(
        "three registers: attended day, excused and unexcused lesson",
        there(MONDAY, 420),
        ill(MONDAY, 120, lesson="2", hour=10),
        truant(MONDAY, lesson="3", hour=10),
        points=4,
        reading="presence beats excused first, unexcused then beats the presence",
    ),
    # Both P (8-16 and 8-13) lie around U 10-12.
    monday(
        "three registers: unexcused lesson inside an excursion inside an attended day",
        there(MONDAY, 480),
        there(MONDAY, 300, lesson="2"),
        truant(MONDAY, lesson="3", hour=10),
        points=4,
    ),
    # The P of the lesson of the same hours is not a longer one.
    monday(
        "three registers: the day and one of two lessons of the same hours attended",
        there(MONDAY, 480),
        there(MONDAY, 120, lesson="2", hour=10),
        truant(MONDAY, lesson="3", hour=10),
        points=0,
        reading="one presence that is not beaten is enough",
    ),
    # Late: U lies 8-10. U 10-12 in the shorter lesson beats the long one's P: 240.
    monday(
        "late: absent at the start", part(MONDAY, 0, 120, late=True), truant(MONDAY, lesson="2", hour=10), points=10
    ),
    # Not late: U lies 10-12, the same hours as the other lesson's: 120.
    monday("not late: absent at the end", part(MONDAY, 0, 120), truant(MONDAY, lesson="2", hour=10), points=4),
    # E 8-10, U 10-12. P 8-10 takes the E: 120 U are left.
    monday("excused before unexcused", part(MONDAY, 120, 120), there(MONDAY, 120, lesson="2"), points=4),
    # E 10-12, U 12-14. P 12-14 takes the U: nothing is left.
    monday(
        "unexcused after excused, at the very end",
        part(MONDAY, 120, 120, minutes=360),
        there(MONDAY, 120, lesson="2", hour=12),
        points=0,
    ),
    # Late: E 8-10, U 10-12, P 12-14. P 8-10 takes the E: 120 U are left.
    monday(
        "late with both: excused first",
        part(MONDAY, 120, 120, minutes=360, late=True),
        there(MONDAY, 120, lesson="2"),
        points=4,
    ),
    # Late: E 8-10, U 10-12. P 10-12 takes the U.
    monday(
        "late with both: unexcused second",
        part(MONDAY, 120, 120, minutes=360, late=True),
        there(MONDAY, 120, lesson="2", hour=10),
        points=0,
    ),
    # 00:00 to 06:00 of summer time is 05:00 of winter time, when the other begins: 480 minutes, no overlap.
    monday(
        "the night that the clocks go back",
        truant(FALL_BACK, 360, hour=0),
        truant(FALL_BACK, lesson="2", hour=5),
        points=16,
        day=FALL_BACK,
    ),
    # 360 minutes from 00:00 end at 07:00 of summer time, an hour into the lesson from 06:00: 420, not 480.
    monday(
        "the night that the clocks go forward",
        truant(SPRING_FORWARD, 360, hour=0),
        truant(SPRING_FORWARD, lesson="2", hour=6),
        points=10,
        day=SPRING_FORWARD,
    ),
    # 180 minutes of Monday (until 02:00) and 120 of Tuesday (from 00:00): 300, for each day counts its own.
    monday(
        "a lesson over midnight belongs to its first day",
        truant(MONDAY, 180, hour=23),
        truant(TUESDAY, hour=0),
        points=10,
        day=TUESDAY,
        reading="minutes count once within a day; lessons of two days do not meet",
    ),
    # 10 days of P 480 with 24 U inside: 240 of 4800 is 5 %; 240 U.
    case(
        "the share counts the hours of the day once",
        [event for day in TEN for event in (there(day, 480), truant(day, 24, lesson="2", hour=9))],
        {"total_absence": 4, "unexcused_absence": 10},
        as_of=TEN[-1],
    ),
    # 5 E and 5 U of 100 each day: 10 %; 50 U are under two hours; ten late arrivals.
    case(
        "late, excused and unexcused in one lesson",
        [part(day, 5, 5, minutes=100, late=True) for day in TEN],
        {"total_absence": 10, "late_arrivals": 6},
        as_of=TEN[-1],
    ),
    # Every hour of the trip is attended; the lessons of the same hours are excused.
    case(
        "an excursion of five days beside excused lessons",
        [
            *[there(day, lesson=str(n), hour=8 + n) for day in TEN for n in range(6)],
            *[ill(day, lesson=str(n), hour=8 + n) for day in school_days(date(2026, 8, 31), 5) for n in range(6)],
            *[there(day, 360, lesson="trip") for day in school_days(date(2026, 8, 31), 5)],
        ],
        {},
        as_of=date(2026, 9, 4),
    ),
]

FULLY_ABSENT = [
    streak("three days ill", [[ill(day)] for day in THREE], 6, last=THREE[-1]),
    streak("five days ill", [[ill(day)] for day in FIVE], 12, last=FIVE[-1]),
    # 60 of 120 minutes have a register.
    streak("half of the minutes registered", [[ill(day), unknown(day, 60)] for day in THREE], 6, last=THREE[-1]),
    # 60 of 121.
    streak(
        "less than half of the minutes registered", [[ill(day), unknown(day, 61)] for day in THREE], 0, last=THREE[-1]
    ),
    streak(
        "one of six registers taken on five days",
        [[ill(day), *[unknown(day, 60, 7 + n, str(n)) for n in range(2, 7)]] for day in FIVE],
        0,
        last=FIVE[-1],
    ),
    # 8-9 and 8-9:30 without register lie over the one with: 60 of 90 minutes.
    streak(
        "scheduled minutes count once as well",
        [[ill(day), unknown(day, 60, 8, "2"), unknown(day, 90, 8, "3")] for day in THREE],
        6,
        last=THREE[-1],
    ),
    streak(
        "a day's register beside lessons without one",
        [[ill(day, 300), unknown(day, 60, 8, "2"), unknown(day, 60, 9, "3")] for day in THREE],
        6,
        last=THREE[-1],
    ),
    streak(
        "an hour attended on each ill day",
        [[ill(d, 300), there(d, lesson="2", hour=9)] for d in THREE],
        0,
        last=THREE[-1],
    ),
    streak(
        "a day without register neither counts nor ends a streak",
        [[ill(FOUR[0])], [ill(FOUR[1])], [unknown(FOUR[2], 60)], [ill(FOUR[3])]],
        6,
        last=FOUR[-1],
    ),
    streak(
        "a day of which too little is known neither counts nor ends a streak",
        [[ill(FOUR[0])], [ill(FOUR[1])], [ill(FOUR[2]), unknown(FOUR[2], 61)], [ill(FOUR[3])]],
        6,
        last=FOUR[-1],
        reading="unknown is never absence and never good news",
    ),
    streak(
        "any presence ends a streak",
        [[ill(FOUR[0])], [ill(FOUR[1])], [there(FOUR[2]), unknown(FOUR[2], 300)], [ill(FOUR[3])]],
        0,
        last=FOUR[-1],
        reading="presence in one lesson is known, however little else is",
    ),
    streak(
        "cancelled lessons are not scheduled",
        [[ill(d), attendance(MAJA, d, lesson="2", minutes=300, hour=9, state=CANCELLED)] for d in THREE],
        6,
        last=THREE[-1],
    ),
    streak(
        "a lesson taken back was never attended",
        [
            [ill(d), there(d, lesson="2", hour=9), attendance(MAJA, d, lesson="2", hour=9, state=RETRACTED, revision=2)]
            for d in THREE
        ],
        6,
        last=THREE[-1],
    ),
]

REVISIONS = [
    monday("a register corrected to present", truant(MONDAY), there(MONDAY, 120, revision=2), points=0),
    monday("an older version that comes later", truant(MONDAY, revision=2), there(MONDAY, 120, revision=1), points=4),
    # SHA-256 of the canonical JSON: d6b1… with 0 unexcused minutes, e666… with 120: the greater one is valid.
    monday("equal revisions: 120 minutes unexcused and none", there(MONDAY, 120), truant(MONDAY), points=4),
    # d6b1… with 0, a079… with 60: none are valid, and 60 of the other lesson are too few.
    monday(
        "equal revisions: 60 minutes unexcused and none",
        there(MONDAY, 120),
        attendance(MAJA, MONDAY, minutes=120, hour=8, unexcused=60),
        truant(MONDAY, 60, lesson="2", hour=13),
        points=0,
    ),
]

CASES = [*OVERLAPS, *FULLY_ABSENT, *REVISIONS]
