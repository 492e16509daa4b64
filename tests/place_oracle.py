"""Where a student is on a day, by brute force from the contract of `enrolment.changed` alone; shares no code with Kvar."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

ZONE = ZoneInfo("Europe/Stockholm")
MOST_PLACES = 50
"""Of more the latest begun are known, of those begun on one day the ones with the greater digest of their key."""

Data = Mapping[str, Any]


class Where(NamedTuple):
    """A student's place on one day. `status`: active or paused; `coaches`: `coach` first."""

    school_unit: str
    starts_on: date
    groups: list[str]
    coaches: list[str]
    status: str


@dataclass(frozen=True)
class Place:
    """A valid place that is not retracted, with the days on which it holds."""

    school_unit: str
    first: date
    last: date
    data: Data

    @property
    def age(self) -> tuple[int, date]:
        """Of overlapping places of one unit the greater one is the place."""
        return self.data["revision"], self.first

    @property
    def status(self) -> str:
        """On the days on which it holds, a place that ends later is active until then."""
        return "paused" if self.data["status"] == "paused" else "active"

    def holds(self, day: date) -> bool:
        """Whether a day lies in it."""
        return self.first <= day <= self.last

    def overlaps(self, other: Place) -> bool:
        """Whether any day lies in both; two that merely meet, one ending on the day on which the other begins, do not overlap."""
        days = (min(self.last, other.last) - max(self.first, other.first)).days + 1
        return days > 1 or (days == 1 and self.last != other.first and other.last != self.first)


def rank(data: Data) -> tuple[int, str]:
    """Of several versions of one fact the greatest is valid."""
    said = {name: value for name, value in data.items() if value is not None}
    return data["revision"], hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def places(events: Iterable[Mapping[str, Any]]) -> list[Place]:
    """A student's places, from `enrolment.changed` in published form; the same content said twice was said the first time."""
    valid: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in sorted(events, key=lambda event: datetime.fromisoformat(event["time"])):
        key = (event["data"]["school_unit"], event["data"]["starts_on"])
        if key not in valid or rank(event["data"]) > rank(valid[key]["data"]):
            valid[key] = event
    latest = sorted(valid, key=_begun)[-MOST_PLACES:]
    known = [valid[key] for key in latest]
    return [_place(event) for event in known if event["data"].get("state", "recorded") == "recorded"]


def _begun(key: tuple[str, str]) -> tuple[date, str]:
    school_unit, first = key[0], date.fromisoformat(key[1])
    return first, hashlib.sha256(orjson.dumps([school_unit, first.toordinal()])).hexdigest()[:32]


def _place(event: Mapping[str, Any]) -> Place:
    data = event["data"]
    last = date.max
    if data.get("ends_on"):
        last = date.fromisoformat(data["ends_on"])
    elif data["status"] == "ended":
        last = datetime.fromisoformat(event["time"]).astimezone(ZONE).date()
    return Place(data["school_unit"], date.fromisoformat(data["starts_on"]), last, data)


def holding(known: Iterable[Place], day: date) -> list[Place]:
    """The places in force on a day, of each unit one at most.

    An older version of a place (first day corrected, so that its key is another) does not come back when the newer one is over.
    """
    known = list(known)
    found = [place for place in known if place.holds(day) and not any(_displaces(newer, place, day) for newer in known)]
    return [
        max((each for each in found if each.school_unit == unit), key=lambda each: each.age)
        for unit in {each.school_unit for each in found}
    ]


def _displaces(newer: Place, place: Place, day: date) -> bool:
    """From its first day on; a pause only while it lasts."""
    is_of_the_unit = newer.school_unit == place.school_unit and newer.overlaps(place)
    until = newer.last if newer.status == "paused" else date.max
    return is_of_the_unit and newer.age > place.age and newer.first <= day <= until


def lesson_counts(known: Iterable[Place], school_unit: str, day: date) -> bool:
    """Whether a lesson at a unit is scored: inside a place there, or where no place there is known at all."""
    at_the_unit = [place for place in known if place.school_unit == school_unit]
    return not at_the_unit or bool(holding(at_the_unit, day))


def place_on(events: Iterable[Mapping[str, Any]], day: date) -> Where | None:
    """Where the student is: the main place, then an active one, then the one begun last, then the newest version."""
    in_force = holding(places(events), day)
    if not in_force:
        return None
    place = max(
        in_force,
        key=lambda place: (
            place.data.get("main", True),
            place.status == "active",
            place.first,
            rank(place.data),
        ),
    )
    first_coach = [place.data["coach"]] if place.data.get("coach") else []
    coaches = list(dict.fromkeys([*first_coach, *place.data.get("coaches", [])]))
    return Where(place.school_unit, place.first, list(place.data.get("groups", [])), coaches, place.status)
