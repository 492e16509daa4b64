"""Which lessons count: those inside a place at their unit, and those at units where no place is known.

The sign of a lesson that counts is 4 points for its 120 unexcused minutes, and its day in `as_of`.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime

from shared.events import AnyEvent, AttendanceState, EnrolmentStatus
from tests.builders import MONDAY, at, attendance, enrolment
from tests.school_cases.case import AUGUST, MAJA, Case, case, ill, truant

ENDED, PAUSED = EnrolmentStatus.ENDED, EnrolmentStatus.PAUSED
OTHER = "gy-björken"
SUNDAY = date(2026, 9, 6)
TUESDAY = date(2026, 9, 8)
TWO_HOURS = {"unexcused_absence": 4}


def scored(name: str, *events: AnyEvent, day: date = MONDAY, reading: str = "") -> Case:
    """A case whose lesson of that day counts."""
    return case(name, events, TWO_HOURS, as_of=day, reading=reading)


def unscored(name: str, *events: AnyEvent, reading: str = "") -> Case:
    """A case whose lesson is kept and not scored: there is no day and no point."""
    return case(name, events, {}, as_of=None, reading=reading)


def decomposed(day: date, begins: date) -> list[AnyEvent]:
    """The place's unit spelt in NFC, the lesson's in NFD."""
    name = "gy-åsen"
    composed, apart = unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)
    return [enrolment(MAJA, begins, unit=composed), truant(day, unit=apart)]


CASES = [
    # A place holds from its first to its last day, both included.
    scored("the first day of a place", enrolment(MAJA, MONDAY), truant(MONDAY)),
    unscored("the day before a place begins", enrolment(MAJA, TUESDAY), truant(MONDAY)),
    scored("the last day of a place", enrolment(MAJA, AUGUST, ends_on=MONDAY), truant(MONDAY)),
    unscored(
        "the day after a place, whatever its status says", enrolment(MAJA, AUGUST, ends_on=SUNDAY), truant(MONDAY)
    ),
    scored(
        "ended with a last day still to come",
        enrolment(MAJA, AUGUST, status=ENDED, ends_on=TUESDAY, time=at(AUGUST, 9)),
        truant(MONDAY),
    ),
    # `ended` without a last day ends on the day of the event's `time`, in the authority's zone.
    scored("ended on the lesson's day", enrolment(MAJA, AUGUST, status=ENDED, time=at(MONDAY, 15)), truant(MONDAY)),
    unscored("ended the day before", enrolment(MAJA, AUGUST, status=ENDED, time=at(SUNDAY, 15)), truant(MONDAY)),
    # 22:30 UTC on Sunday is 00:30 on Monday in Stockholm in summer.
    scored(
        "ended after midnight in Stockholm, before it in UTC",
        enrolment(MAJA, AUGUST, status=ENDED, time=datetime(2026, 9, 6, 22, 30, tzinfo=UTC)),
        truant(MONDAY),
    ),
    # 22:30 UTC on Sunday, 25 October is 23:30 the same day: the clocks went back that morning.
    unscored(
        "ended on the day that the clocks went back",
        enrolment(MAJA, AUGUST, status=ENDED, time=datetime(2026, 10, 25, 22, 30, tzinfo=UTC)),
        truant(date(2026, 10, 26)),
    ),
    # 22:30 UTC on Sunday, 28 March is 00:30 on Monday: the clocks went forward that morning.
    scored(
        "ended on the day that the clocks went forward",
        enrolment(MAJA, AUGUST, status=ENDED, time=datetime(2027, 3, 28, 22, 30, tzinfo=UTC)),
        truant(date(2027, 3, 29)),
        day=date(2027, 3, 29),
    ),
    unscored(
        "ended before it began",
        enrolment(MAJA, MONDAY, status=ENDED, time=at(AUGUST)),
        truant(MONDAY),
        reading="a place that holds on no day is known all the same",
    ),
    # Where no place at the unit is known at all, lessons count.
    scored("no place known anywhere", truant(MONDAY)),
    scored("a place known at another unit only", enrolment(MAJA, AUGUST, unit=OTHER), truant(MONDAY)),
    scored("the only place at the unit taken back", enrolment(MAJA, TUESDAY, state="retracted"), truant(MONDAY)),
    scored(
        "a place recorded, then taken back by a higher revision",
        enrolment(MAJA, TUESDAY),
        enrolment(MAJA, TUESDAY, state="retracted", revision=2),
        truant(MONDAY),
    ),
    unscored(
        "a retraction older than the place",
        enrolment(MAJA, TUESDAY, revision=2),
        enrolment(MAJA, TUESDAY, state="retracted", revision=1),
        truant(MONDAY),
    ),
    unscored("the place begins next August", enrolment(MAJA, date(2027, 8, 16)), truant(MONDAY)),
    scored(
        "a place elsewhere next August takes nothing from today's",
        enrolment(MAJA, AUGUST),
        enrolment(MAJA, date(2027, 8, 16), unit=OTHER),
        truant(MONDAY),
    ),
    scored(
        "a paused place is a place",
        enrolment(MAJA, AUGUST, status=PAUSED),
        truant(MONDAY),
        reading="a place holds whatever its status says",
    ),
    scored(
        "a course at another school counts beside the home school",
        enrolment(MAJA, AUGUST),
        enrolment(MAJA, AUGUST, unit=OTHER, main=False),
        truant(MONDAY, unit=OTHER),
    ),
    # Overlapping places of one unit.
    scored(
        "first day corrected from 20 to 17 August",
        enrolment(MAJA, date(2026, 8, 20), revision=1),
        enrolment(MAJA, AUGUST, revision=2),
        truant(date(2026, 8, 18)),
        day=date(2026, 8, 18),
    ),
    unscored(
        "first day corrected from 17 to 20 August, the wrong place taken back",
        enrolment(MAJA, AUGUST, revision=1),
        enrolment(MAJA, AUGUST, state="retracted", revision=2),
        enrolment(MAJA, date(2026, 8, 20), revision=2),
        truant(date(2026, 8, 18)),
    ),
    scored(
        "first day corrected from 17 to 20 August, the wrong place left standing",
        enrolment(MAJA, AUGUST, revision=1),
        enrolment(MAJA, date(2026, 8, 20), revision=2),
        truant(date(2026, 8, 18)),
        day=date(2026, 8, 18),
        reading="before the newer place begins the older one holds",
    ),
    unscored(
        "the corrected place is over, the wrong one was left standing",
        enrolment(MAJA, date(2026, 8, 20), revision=1),
        enrolment(MAJA, AUGUST, ends_on=SUNDAY, revision=2),
        truant(MONDAY),
        reading="an older version of a place does not come back when the newer one is over",
    ),
    unscored(
        "between two places of one unit",
        enrolment(MAJA, date(2025, 8, 18), ends_on=date(2026, 6, 12)),
        enrolment(MAJA, MONDAY),
        truant(date(2026, 8, 24)),
    ),
    unscored(
        "a newer revision brings the last day forward",
        enrolment(MAJA, AUGUST, revision=1),
        enrolment(MAJA, AUGUST, ends_on=SUNDAY, revision=2),
        truant(MONDAY),
    ),
    scored(
        "a newer revision opens an ended place again",
        enrolment(MAJA, AUGUST, status=ENDED, time=at(SUNDAY), revision=1),
        enrolment(MAJA, AUGUST, revision=2),
        truant(MONDAY),
    ),
    # After the move two hours at the old unit (not scored) and two at the new one: 120 minutes, not 240.
    scored(
        "registers kept going at the old unit after a move",
        enrolment(MAJA, AUGUST, ends_on=SUNDAY),
        enrolment(MAJA, MONDAY, unit=OTHER),
        truant(MONDAY, lesson="old"),
        truant(MONDAY, lesson="new", unit=OTHER, hour=13),
    ),
    # Tuesday's lesson is outside: the newest day is Monday, of its streak of three days two are inside.
    case(
        "what is not scored is in no window and is not the newest day",
        [enrolment(MAJA, AUGUST, ends_on=MONDAY), *[ill(day) for day in (date(2026, 9, 4), MONDAY, TUESDAY)]],
        {},
        as_of=MONDAY,
    ),
    # Of the unit's scheduled minutes only those of Monday's own lesson count: all of them have a register.
    case(
        "a lesson without register outside a place hides no absence",
        [
            enrolment(MAJA, AUGUST),
            enrolment(MAJA, AUGUST, unit=OTHER, ends_on=date(2026, 9, 1)),
            *[ill(day) for day in (date(2026, 9, 3), date(2026, 9, 4), MONDAY)],
            *[
                attendance(MAJA, day, lesson="2", minutes=300, hour=9, unit=OTHER, state=AttendanceState.UNREGISTERED)
                for day in (date(2026, 9, 3), date(2026, 9, 4), MONDAY)
            ],
        ],
        {"absence_streak": 6},
        as_of=MONDAY,
    ),
    # The school day is the date in Stockholm.
    scored("half past midnight on the first day", enrolment(MAJA, MONDAY), truant(MONDAY, hour=0, minute=30)),
    unscored(
        "half past eleven on the eve of the first day", enrolment(MAJA, MONDAY), truant(SUNDAY, hour=23, minute=30)
    ),
    # å as one character and as a with a ring: one school, in whose place Monday lies outside.
    unscored("the unit spelt in another Unicode form", *decomposed(MONDAY, begins=TUESDAY)),
    scored("a place of more than four years", enrolment(MAJA, date(2022, 8, 15)), truant(MONDAY)),
]
