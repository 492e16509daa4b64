"""More than 50 places of one student: the latest begun are known, older ones are as if never told.

Places that were taken back are counted too; of those begun on one day the greater digest of the key is the later.
"""

from __future__ import annotations

from datetime import timedelta

from shared.events import EnrolmentChangedEvent
from tests.builders import MONDAY, enrolment
from tests.school_cases.bounds import TUESDAY, TWO_HOURS
from tests.school_cases.case import AUGUST, MAJA, case, truant
from tests.school_cases.where import OTHER, PlaceCase, where


def later(count: int, state: str = "recorded") -> list[EnrolmentChangedEvent]:
    """So many places at the other school, of a day each, from Wednesday on."""
    days = [TUESDAY + timedelta(days=n) for n in range(1, count + 1)]
    return [enrolment(MAJA, day, unit=OTHER, ends_on=day, state=state) for day in days]


EIGHTEENTH = AUGUST + timedelta(days=1)
TWO_BEGUN_TOGETHER = [enrolment(MAJA, AUGUST, revision=2), enrolment(MAJA, AUGUST, unit=OTHER)]
"""The newest version decides between them, when both are known: the one at gy-aspen."""

PLACE_CASES = [
    PlaceCase("the first of 50 places", [enrolment(MAJA, AUGUST), *later(49)], where()),
    PlaceCase("the first of 51 places", [enrolment(MAJA, AUGUST), *later(50)], None),
    PlaceCase("49 later places taken back", [enrolment(MAJA, AUGUST), *later(49, "retracted")], where()),
    PlaceCase("50 later places taken back", [enrolment(MAJA, AUGUST), *later(50, "retracted")], None),
    PlaceCase(
        "a new version of the first of 51 places",
        [enrolment(MAJA, AUGUST), *later(50), enrolment(MAJA, AUGUST, revision=9)],
        None,
    ),
    PlaceCase(
        "60 versions of one place", [*[enrolment(MAJA, AUGUST, revision=n) for n in range(60)], *later(49)], where()
    ),
    PlaceCase("two begun together, of 50 places", [*TWO_BEGUN_TOGETHER, *later(48)], where()),
    # SHA-256 of [code, day]: gy-aspen c2014859… < gy-björken f34ed114…
    PlaceCase(
        "of two begun together the greater digest is known, of 51 places",
        [*TWO_BEGUN_TOGETHER, *later(49)],
        where(OTHER),
    ),
    # A main place comes before a course elsewhere, when it is known.
    PlaceCase(
        "a course at another school is all that is known of 51 places",
        [enrolment(MAJA, AUGUST), enrolment(MAJA, EIGHTEENTH, unit=OTHER, main=False), *later(49)],
        where(OTHER, EIGHTEENTH),
    ),
]

MOVED_WITHIN = [enrolment(MAJA, AUGUST, ends_on=MONDAY), enrolment(MAJA, TUESDAY)]

CASES = [
    # Monday lies before the only place known at its unit, or none is known there.
    case(
        "a lesson before the first of 50 places", [enrolment(MAJA, TUESDAY), *later(49), truant(MONDAY)], {}, as_of=None
    ),
    case(
        "a lesson before the first of 51 places",
        [enrolment(MAJA, TUESDAY), *later(50), truant(MONDAY)],
        TWO_HOURS,
        as_of=MONDAY,
    ),
    # Monday lies in the first of two places at its unit; of 51 only the second is known, from Tuesday on.
    case("a lesson in the first of 50 places", [*MOVED_WITHIN, *later(48), truant(MONDAY)], TWO_HOURS, as_of=MONDAY),
    case("a lesson in the first of 51 places", [*MOVED_WITHIN, *later(49), truant(MONDAY)], {}, as_of=None),
]
