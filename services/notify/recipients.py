"""Who is told about a student: the coaches in their order, else the unit's coordinator, else its principal. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.notify.places import Situation
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


def choose(about: Situation, staff: Sequence[StaffMember], refused: Collection[Address] = ()) -> Recipient | None:
    """The first who can be told. `staff` are people of the student's authority; `refused` are addresses to pass over.

    Being named as coach by the enrolment is enough, whatever roles the person has. Of several coordinators or
    principals the one with the smallest staff id, so that all alerts of a student reach the same person.
    """
    able = {member.staff: member for member in staff if _can_be_told(member, refused)}
    for coach in about.coaches:
        if coach in able:
            return Recipient(able[coach], StaffRole.COACH)
    for role in FALLBACKS:
        for name in sorted(able):
            if role in able[name].roles and about.school_unit in able[name].scope:
                return Recipient(able[name], role)
    return None


def coach_may_follow(about: Situation, staff: Sequence[StaffMember], refused: Collection[Address] = ()) -> bool:
    """Whether a coach who comes first is still unknown: the events that name them may be just behind the alert."""
    if not about.known:
        return True
    known = {member.staff: member for member in staff}
    for coach in about.coaches:
        if coach not in known:
            return True
        if _can_be_told(known[coach], refused):
            return False
    return False


def _can_be_told(member: StaffMember, refused: Collection[Address]) -> bool:
    return member.active and (member.staff, member.email) not in refused
