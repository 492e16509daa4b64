"""Who is told about a student: the coach, else the unit's coordinator, else its principal. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.notify.places import Place
from shared.events import StaffRole

FALLBACKS = (StaffRole.COORDINATOR, StaffRole.PRINCIPAL)
"""In this order when a student has no coach who can be told."""


@dataclass(frozen=True, slots=True)
class StaffMember:
    """An adult of one authority as its systems describe them. `scope`: codes of school units and groups in their charge."""

    staff: str
    name: str
    email: str
    roles: frozenset[StaffRole]
    scope: frozenset[str]
    language: str
    active: bool


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets a mail, and in which role they get it."""

    member: StaffMember
    role: StaffRole


Address = tuple[str, str]
"""Staff id and e-mail address: a refused address does not speak against a new one of the same person."""


def choose(place: Place, staff: Sequence[StaffMember], refused: Collection[Address] = ()) -> Recipient | None:
    """The first who can be told. `staff` are people of the student's authority; `refused` are addresses to pass over.

    Being named as coach by the enrolment is enough, whatever roles the person has. Of several coordinators or
    principals the one with the smallest staff id, so that all alerts of a student reach the same person.
    """
    able = sorted(
        (member for member in staff if member.active and (member.staff, member.email) not in refused),
        key=lambda member: member.staff,
    )
    for member in able:
        if member.staff == place.coach:
            return Recipient(member, StaffRole.COACH)
    for role in FALLBACKS:
        for member in able:
            if role in member.roles and place.school_unit in member.scope:
                return Recipient(member, role)
    return None


def coach_may_follow(place: Place, staff: Sequence[StaffMember]) -> bool:
    """Whether the coach is still unknown: the events that name them may be just behind the alert."""
    if not place.known:
        return True
    return place.coach is not None and all(member.staff != place.coach for member in staff)
