"""Who a staff id is: what ingest last accepted of it, so that a number given to somebody else is noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.ingest.contradictions import STAFF, Contradiction, words
from shared.errors import FieldError, Reject
from shared.events import StaffChanged

KNOWN = "the name or the mail domain known, unless somebody confirms the new ones"

StaffKey = tuple[str, str]
"""Authority, and the id behind the door: `staff:SPACE/ID`."""


@dataclass(frozen=True, slots=True)
class KnownStaff:
    """A member of staff as last accepted."""

    name: str
    email: str
    revision: int


def accept(known: KnownStaff | None, told: StaffChanged, *, is_confirmed: bool) -> KnownStaff:
    """What is known after one more event: of several revisions the highest, here as in notify. What somebody has confirmed may
    contradict what is known.

    Raises:
        Contradiction: neither a word of the name nor the mail domain is that of the person known.
    """
    new = KnownStaff(told.name, told.email, told.revision)
    if known is None:
        return new
    if not is_confirmed and not words(known.name) & words(told.name) and _domain(known.email) != _domain(told.email):
        reason = (
            "the staff id is known with another name and another mail domain: it may have been given to somebody else"
        )
        error = FieldError("$.data.name", "another name and mail domain than known", KNOWN)
        raise Contradiction(STAFF, reason, error)
    return known if known.revision > new.revision else new


@dataclass(frozen=True, slots=True)
class StaffClaim:
    """One event about a member of staff. `staff`: authority and id behind the door."""

    staff: StaffKey
    told: StaffChanged
    is_confirmed: bool = False


@dataclass(slots=True)
class StaffAnswers:
    """For each claim None or why it is refused; and what is known afterwards, where that is something else."""

    refusals: list[Reject | None] = field(default_factory=list)
    changed: dict[StaffKey, KnownStaff] = field(default_factory=dict)


def take(claims: Sequence[StaffClaim], known: Mapping[StaffKey, KnownStaff]) -> StaffAnswers:
    """Takes claims in order, each knowing those before it."""
    answers = StaffAnswers()
    for claim in claims:
        before = answers.changed.get(claim.staff, known.get(claim.staff))
        try:
            after = accept(before, claim.told, is_confirmed=claim.is_confirmed)
        except Contradiction as contradiction:
            answers.refusals.append(contradiction)
            continue
        answers.refusals.append(None)
        if after != before:
            answers.changed[claim.staff] = after
    return answers


def _domain(email: str) -> str:
    return email.rpartition("@")[2].casefold()
