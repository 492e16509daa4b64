"""What notify knows of a student: all places with what a mail must heed, and who and where the student is today. Pure.

Where a student is on a day is one rule of all services: `shared.events.places`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import NamedTuple

from shared.events import EnrolmentChanged
from shared.events.places import MOST_PLACES, Place, Presence, latest_begun, place_of, whereabouts


class Statement(NamedTuple):
    """The valid version of a place, and what it says of the student. `deceased`: the place ended with the student's death."""

    place: Place
    protected: bool
    deceased: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a student is on a day, for those who write about them.

    Attributes:
        school_unit: Code of the unit; nothing when no place is known and the alert names none.
        coaches: `staff:…` of the adults who follow the student, first who is told first.
        protected: Protected identity, by any of the student's places: the strictest statement counts, also one that there was no
            room for.
        left: The student was at the unit, and is nowhere on that day.
        deceased: The student has died: nobody is written to any more.
        known: Whether any place is known at all.
    """

    school_unit: str | None
    coaches: tuple[str, ...]
    protected: bool
    left: bool
    deceased: bool
    known: bool


def statement_of(data: EnrolmentChanged, time: datetime, zone: tzinfo) -> Statement:
    """What an event states. `time`: the event's; `zone`: the authority's."""
    # Which groups a student is in is no matter of a mail.
    return Statement(place_of(data, time, zone)._replace(groups=()), data.protected, data.end_reason == "deceased")


def same_place(known: Sequence[Statement], news: Statement) -> Statement | None:
    """The known version of the place that a statement speaks of."""
    return next((one for one in known if one.place.key == news.place.key), None)


def merged(known: Sequence[Statement], news: Statement) -> list[Statement] | None:
    """The statements of the latest places with the new one in its place, or nothing when it is of none of these, or one as new is
    already there.
    """
    before = same_place(known, news)
    if before is not None and not news.place.supersedes(before.place):
        return None
    latest = latest_begun([*(one for one in known if one is not before), news], lambda one: one.place.begun)
    return sorted(latest, key=lambda one: one.place.key) if news in latest else None


def situation(statements: Sequence[Statement], day: int, *, school_unit: str | None) -> Situation:
    """The student's situation on a day. `school_unit`: as the alert has it, serves where no place is known at all."""
    valid = [one for one in statements if one.place.is_recorded]
    protected = any(one.protected for one in valid) or len(statements) >= MOST_PLACES
    found = whereabouts([one.place for one in valid], day)
    if found is None:
        return Situation(school_unit, (), protected, left=False, deceased=False, known=False)
    return Situation(
        school_unit=found.place.school_unit,
        coaches=found.place.coaches,
        protected=protected,
        left=found.presence is Presence.ENDED,
        deceased=any(one.deceased for one in valid),
        known=True,
    )
