"""Where a student is on a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.events import EnrolmentChangedEvent, EnrolmentStatus
from tests.builders import MONDAY, UNIT, at, enrolment
from tests.place_oracle import Where
from tests.school_cases.case import AUGUST, MAJA

ENDED, PAUSED = EnrolmentStatus.ENDED, EnrolmentStatus.PAUSED
OTHER = "gy-björken"
SUNDAY, TUESDAY = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
TWENTIETH = date(2026, 8, 20)
COACH = ("staff:coach",)


@dataclass(frozen=True)
class PlaceCase:
    """A student's enrolments and where she is on a day. `reading`: as in `Case`."""

    id: str
    enrolments: Sequence[EnrolmentChangedEvent]
    expected: Where | None
    day: date = MONDAY
    reading: str = ""


def where(
    unit: str = UNIT,
    starts_on: date = AUGUST,
    *,
    groups: tuple[str, ...] = ("NA25a",),
    coaches: tuple[str, ...] = COACH,
    status: str = "active",
) -> Where:
    """A place as `enrolment` of the builders makes it."""
    return Where(unit, starts_on, list(groups), list(coaches), status)


OLD = enrolment(MAJA, TWENTIETH, groups=("old",), coach="staff:old", revision=1)
CORRECTED = enrolment(MAJA, AUGUST, groups=("new",), coach="staff:new", revision=2)
NEW = where(groups=("new",), coaches=("staff:new",))

PLACE_CASES = [
    PlaceCase("nothing known", [], None),
    PlaceCase("one place", [enrolment(MAJA, AUGUST)], where()),
    PlaceCase("its first day", [enrolment(MAJA, MONDAY)], where(starts_on=MONDAY)),
    PlaceCase("the day before it begins", [enrolment(MAJA, TUESDAY)], None),
    PlaceCase("its last day", [enrolment(MAJA, AUGUST, ends_on=MONDAY)], where()),
    PlaceCase("active, but its last day is past", [enrolment(MAJA, AUGUST, ends_on=SUNDAY)], None),
    PlaceCase(
        "ended, but its last day is still to come",
        [enrolment(MAJA, AUGUST, status=ENDED, ends_on=TUESDAY, time=at(AUGUST))],
        where(),
        reading="until its last day it is as good as active",
    ),
    PlaceCase("ended today", [enrolment(MAJA, AUGUST, status=ENDED, time=at(MONDAY))], where()),
    PlaceCase("ended yesterday", [enrolment(MAJA, AUGUST, status=ENDED, time=at(SUNDAY, 23, 59))], None),
    PlaceCase(
        "ended after midnight in Stockholm, before it in UTC",
        [enrolment(MAJA, AUGUST, status=ENDED, time=datetime(2026, 9, 6, 22, 1, tzinfo=UTC))],
        where(),
    ),
    PlaceCase(
        "ended when the clocks had gone back: 23:30 of the same day",
        [enrolment(MAJA, AUGUST, status=ENDED, time=datetime(2026, 10, 25, 22, 30, tzinfo=UTC))],
        None,
        date(2026, 10, 26),
    ),
    PlaceCase("taken back", [enrolment(MAJA, AUGUST), enrolment(MAJA, AUGUST, state="retracted", revision=2)], None),
    PlaceCase(
        "after a pause within the place",
        [enrolment(MAJA, AUGUST), enrolment(MAJA, TWENTIETH, ends_on=SUNDAY, status=PAUSED, revision=2)],
        where(),
        reading="a pause ends, and the place goes on; another newer place ends it for good",
    ),
    PlaceCase(
        "during a pause within the place",
        [enrolment(MAJA, AUGUST), enrolment(MAJA, TWENTIETH, ends_on=MONDAY, status=PAUSED, revision=2)],
        where(starts_on=TWENTIETH, status="paused"),
    ),
    PlaceCase(
        "after a pause that began before the place",
        [enrolment(MAJA, TWENTIETH), enrolment(MAJA, AUGUST, ends_on=SUNDAY, status=PAUSED, revision=2)],
        where(starts_on=TWENTIETH),
        reading="a pause replaces nothing beyond its own days",
    ),
    PlaceCase("paused", [enrolment(MAJA, AUGUST, status=PAUSED)], where(status="paused")),
    PlaceCase("more than four years", [enrolment(MAJA, date(2021, 8, 16))], where(starts_on=date(2021, 8, 16))),
    PlaceCase(
        "two mentors",
        [enrolment(MAJA, AUGUST, coach=None, coaches=("staff:a", "staff:b"))],
        where(coaches=("staff:a", "staff:b")),
    ),
    PlaceCase(
        "the coach among the mentors",
        [enrolment(MAJA, AUGUST, coach="staff:b", coaches=("staff:a", "staff:b"))],
        where(coaches=("staff:b", "staff:a")),
        reading="who is told first stands first, nobody twice",
    ),
    # Of several that hold.
    PlaceCase(
        "another school next August", [enrolment(MAJA, AUGUST), enrolment(MAJA, date(2027, 8, 16), unit=OTHER)], where()
    ),
    PlaceCase(
        "two that hold: the latest begun",
        [enrolment(MAJA, AUGUST), enrolment(MAJA, MONDAY, unit=OTHER)],
        where(OTHER, MONDAY),
    ),
    PlaceCase(
        "the day before a move",
        [enrolment(MAJA, AUGUST, ends_on=SUNDAY), enrolment(MAJA, MONDAY, unit=OTHER)],
        where(),
        SUNDAY,
    ),
    PlaceCase(
        "the day of a move",
        [enrolment(MAJA, AUGUST, ends_on=SUNDAY), enrolment(MAJA, MONDAY, unit=OTHER)],
        where(OTHER, MONDAY),
    ),
    PlaceCase(
        "paused at the new school, active at the old one",
        [enrolment(MAJA, AUGUST), enrolment(MAJA, MONDAY, unit=OTHER, status=PAUSED)],
        where(),
    ),
    PlaceCase(
        "a course at another school, begun later",
        [enrolment(MAJA, AUGUST), enrolment(MAJA, MONDAY, unit=OTHER, main=False)],
        where(),
    ),
    PlaceCase(
        "a course at another school while the home school is paused",
        [enrolment(MAJA, AUGUST, status=PAUSED), enrolment(MAJA, MONDAY, unit=OTHER, main=False)],
        where(status="paused"),
        reading="a course never takes the student over",
    ),
    PlaceCase(
        "a course at another school and no other place",
        [enrolment(MAJA, AUGUST, ends_on=SUNDAY), enrolment(MAJA, AUGUST, unit=OTHER, main=False)],
        where(OTHER),
        reading="there is nobody from whom to take her over",
    ),
    # Overlapping places of one unit.
    PlaceCase("first day corrected from 20 to 17 August", [OLD, CORRECTED], NEW),
    PlaceCase("the correction comes first", [CORRECTED, OLD], NEW),
    PlaceCase(
        "equal revisions: the latest begun",
        [OLD, enrolment(MAJA, AUGUST)],
        where(starts_on=TWENTIETH, groups=("old",), coaches=("staff:old",)),
    ),
    PlaceCase(
        "a new class within the unit, the old place changed last",
        [
            enrolment(MAJA, AUGUST, groups=("first",), revision=3),
            enrolment(MAJA, MONDAY, groups=("second",), revision=2),
        ],
        where(groups=("first",)),
    ),
    PlaceCase(
        "the day between the corrected and the wrong first day",
        [enrolment(MAJA, AUGUST, revision=1), enrolment(MAJA, TWENTIETH, groups=("new",), revision=2)],
        where(),
        date(2026, 8, 18),
        reading="before the newer place begins the older one holds",
    ),
    PlaceCase(
        "the corrected place is over, the wrong one was left standing",
        [OLD, enrolment(MAJA, AUGUST, ends_on=SUNDAY, revision=2)],
        None,
        reading="an older version of a place does not come back when the newer one is over",
    ),
    PlaceCase(
        "the correction taken back",
        [OLD, CORRECTED, enrolment(MAJA, AUGUST, state="retracted", revision=3)],
        where(starts_on=TWENTIETH, groups=("old",), coaches=("staff:old",)),
    ),
    # Revisions.
    PlaceCase(
        "an older version comes later",
        [enrolment(MAJA, AUGUST, revision=2), enrolment(MAJA, AUGUST, groups=("x",), revision=1)],
        where(),
    ),
    # SHA-256 of the canonical JSON: b20b… for NA25A, 86cb… for TE25B.
    PlaceCase(
        "equal revisions of one place: the greater digest",
        [enrolment(MAJA, AUGUST, groups=(code,), coach=None) for code in ("NA25A", "TE25B")],
        where(groups=("NA25A",), coaches=()),
    ),
    PlaceCase(
        "ended said again later with the same content",
        [enrolment(MAJA, AUGUST, status=ENDED, time=at(day)) for day in (MONDAY, SUNDAY)],
        None,
        reading="the same content said twice was said the first time",
    ),
]
