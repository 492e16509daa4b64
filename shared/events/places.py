"""The one rule of where a student is on a day, from all that is known of the student's places. Pure; the day is a parameter.

A place holds from its first to its last day. Of several that hold the main one is where the student is, an active one before a
paused one, then the latest begun. Days are day numbers (`date.toordinal`). How many places count is bounded:
`latest_begun`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple, TypeVar

from shared.events.enrolment import EnrolmentChanged, EnrolmentStatus
from shared.events.envelope import content_digest
from shared.events.envelope import precedence as precedence_of

NO_END = 2**31
"""Last day of a place whose end is not known."""
MOST_PLACES = 50
"""Places of one student that count. Of whom so many are known, earlier ones may be forgotten, and with them that one asked for
protection: whoever shows a student takes such a one for protected."""
MOST_GROUPS_OF_UNIT = 4_000
"""Groups of a school unit that are looked at each by itself; where its students name more, which no school has, none is. 3,000
students who are in 15 groups of 20 each have 2,250."""

Begun = tuple[int, str]
"""First day and digest of the key: in this order places are the latest begun."""
ItemT = TypeVar("ItemT")


class Place(NamedTuple):
    """One version of a place. Key: `school_unit` and `starts_on`; see `supersedes` for which version is valid.

    `ends_on`: the last day. `is_recorded` is false when the source takes the place back. `coaches`: first who is told first.
    """

    school_unit: str
    starts_on: int
    ends_on: int
    is_recorded: bool
    is_paused: bool
    main: bool
    groups: tuple[str, ...]
    coaches: tuple[str, ...]
    revision: int
    digest: str

    @property
    def key(self) -> tuple[str, int]:
        """What its versions have in common."""
        return self.school_unit, self.starts_on

    @property
    def key_digest(self) -> str:
        """The key as 32 hexadecimal digits."""
        return content_digest(self.key)[:32]

    @property
    def begun(self) -> Begun:
        """See `latest_begun`."""
        return self.starts_on, self.key_digest

    def supersedes(self, other: Place | None) -> bool:
        """Whether it is the valid one of two versions.

        By revision and digest as of every fact. Of equal content in events of different times the earlier end is valid: a
        source that sends the same `ended` again and again ends the place once.
        """
        return other is None or self.precedence > other.precedence

    @property
    def precedence(self) -> tuple[int, str, int]:
        """Compared as a tuple: the greater one is valid."""
        return self.revision, self.digest, -self.ends_on

    def holds_on(self, day: int) -> bool:
        """Whether the day lies in it, both ends included."""
        return self.is_recorded and self.starts_on <= day <= self.ends_on


def latest_begun(known: Iterable[ItemT], begun: Callable[[ItemT], Begun]) -> list[ItemT]:
    """Those that count of what is known by place (once for each key, places that were taken back too): the latest begun, so many
    at most.

    Which they are depends on the set of keys alone: one that is not among the latest of some is not among those of more. Where
    places begin on one day a digest of the key decides, which is also known of a place whose school unit must not be kept.
    """
    items = list(known)
    return items if len(items) <= MOST_PLACES else heapq.nlargest(MOST_PLACES, items, key=begun)


def place_of(data: EnrolmentChanged, time: datetime, zone: tzinfo) -> Place:
    """The version of a place that an event states.

    `time`: the event's; `zone`: the authority's.
    """
    revision, digest = precedence_of(data)
    if data.ends_on is not None:
        ends_on = data.ends_on.toordinal()
    elif data.status is EnrolmentStatus.ENDED:
        ends_on = time.astimezone(zone).date().toordinal()
    else:
        ends_on = NO_END
    coaches = [data.coach, *data.coaches] if data.coach is not None else data.coaches
    return Place(
        school_unit=data.school_unit,
        starts_on=data.starts_on.toordinal(),
        ends_on=ends_on,
        is_recorded=data.state == "recorded",
        is_paused=data.status is EnrolmentStatus.PAUSED,
        main=data.main,
        groups=tuple(data.groups),
        coaches=tuple(dict.fromkeys(coaches)),
        revision=revision,
        digest=digest,
    )


class Presence(StrEnum):
    """How a student stands at the place of a day."""

    ACTIVE = "active"
    """The place holds."""
    PAUSED = "paused"
    """It holds, paused."""
    ENDED = "ended"
    """None holds; this one was the last."""
    UPCOMING = "upcoming"
    """None holds or has held; this one is the next to begin."""


class Whereabouts(NamedTuple):
    """Where a student is, was last, or will be first."""

    place: Place
    presence: Presence


def standing(places: Iterable[Place]) -> list[Place]:
    """The places that count (of each the valid version must be given), as long as they do.

    Of overlapping places of one unit the newer one is the place from its first day on, and the older does not come back when it
    ends: newer is the higher revision, of equal ones the later begun. But a pause replaces nothing beyond its own days. Two
    that merely meet, one ending on the day on which the other begins, do not overlap: they follow each other.
    """
    recorded = [place for place in places if place.is_recorded]
    found = []
    for place in recorded:
        newer = [other.starts_on - 1 for other in recorded if _is_newer(other, place) and _replaces(other, place)]
        cut = place._replace(ends_on=min([place.ends_on, *newer]))
        if not newer or cut.starts_on <= cut.ends_on:
            found.append(cut)
    return found


def _is_newer(one: Place, other: Place) -> bool:
    return (one.revision, one.starts_on) > (other.revision, other.starts_on)


def _replaces(newer: Place, place: Place) -> bool:
    first, last = max(newer.starts_on, place.starts_on), min(newer.ends_on, place.ends_on)
    meet = newer.ends_on == place.starts_on or place.ends_on == newer.starts_on
    overlap = newer.school_unit == place.school_unit and first <= last and not (first == last and meet)
    return overlap and not newer.is_paused


def _place_on(known: Iterable[Place], day: int) -> Place | None:
    of_units: dict[str, Place] = {}
    for place in known:
        if place.holds_on(day):
            held = of_units.get(place.school_unit)
            if held is None or _is_newer(place, held):
                of_units[place.school_unit] = place
    return max(of_units.values(), key=_rank, default=None)


def _rank(place: Place) -> tuple[bool, bool, int, int, str]:
    return place.main, not place.is_paused, place.starts_on, place.revision, place.digest


def whereabouts(places: Iterable[Place], day: int) -> Whereabouts | None:
    """Where the student is on a day, else where they were last, else where they will be first; nothing without any place."""
    known = standing(places)
    if (place := _place_on(known, day)) is not None:
        return Whereabouts(place, Presence.PAUSED if place.is_paused else Presence.ACTIVE)
    if over := [one for one in known if one.starts_on <= day or one.ends_on < one.starts_on]:
        return Whereabouts(max(over, key=lambda one: (one.main, one.ends_on, *_rank(one))), Presence.ENDED)
    if known:
        return Whereabouts(min(known, key=lambda one: (not one.main, one.starts_on, one.digest)), Presence.UPCOMING)
    return None


def next_change(places: Iterable[Place], day: int) -> int | None:
    """The first day after this one on which a place begins or is over; nothing when there is none."""
    days = [edge for one in standing(places) for edge in (one.starts_on, one.ends_on + 1)]
    return min((edge for edge in days if day < edge < NO_END), default=None)


Spans = Mapping[str, Sequence[tuple[int, int]]]
"""First and last days of the places that count, by school unit."""


def spans(places: Iterable[Place]) -> Spans:
    """When the student has places at which units."""
    found: dict[str, list[tuple[int, int]]] = {}
    for place in standing(places):
        found.setdefault(place.school_unit, []).append((place.starts_on, place.ends_on))
    return found


def lesson_counts(known: Spans, school_unit: str, day: int) -> bool:
    """Whether a lesson at a unit on a day is the student's: within a place there, or where no place there is known at all."""
    there = known.get(school_unit)
    return there is None or any(first <= day <= last for first, last in there)
