"""Where a student belongs, derived from all statements about their enrolments. Pure, and the same in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shared.events import EnrolmentChanged, EnrolmentStatus, content_digest


@dataclass(frozen=True, slots=True)
class Place:
    """A student's place at a school on a given day.

    Attributes:
        school_unit: Code of the unit; nothing when no enrolment is known and the alert names none.
        coach: `staff:…` of the adult who follows the student.
        protected: Protected identity, by any of the student's enrolments: the strictest statement counts.
        ended: The student had left by that day.
        deceased: The student has died: nobody is written to any more.
        known: Whether any enrolment is known at all.
    """

    school_unit: str | None
    groups: tuple[str, ...]
    coach: str | None
    protected: bool
    ended: bool
    deceased: bool
    known: bool


def merged(known: Sequence[EnrolmentChanged], news: EnrolmentChanged) -> list[EnrolmentChanged] | None:
    """The enrolments with the new statement in its place, or nothing when a statement as new is already there.

    Key: school unit and first day. The highest revision wins, on a tie the greater digest of the content.
    """
    others = [fact for fact in known if _key(fact) != _key(news)]
    same = [fact for fact in known if _key(fact) == _key(news)]
    if same and _age(same[0]) >= _age(news):
        return None
    return sorted([*others, news], key=_key)


def place_on(enrolments: Sequence[EnrolmentChanged], day: date, *, school_unit: str | None) -> Place:
    """The student's place on a day (the newest school day in their facts, never the wall clock).

    The enrolment that covers the day; of several the one at `school_unit` (what scoring saw), then the latest to start;
    if none covers it, the last that had begun, else the first to come.
    """
    valid = [fact for fact in enrolments if fact.state == "recorded"]
    protected = any(fact.protected for fact in valid)
    if not valid:
        return Place(school_unit, (), None, protected, ended=False, deceased=False, known=False)

    def preference(fact: EnrolmentChanged) -> tuple[bool, bool, bool, int, str]:
        begun = fact.starts_on <= day
        nearness = fact.starts_on.toordinal() * (1 if begun else -1)
        return _covers(fact, day), begun, fact.school_unit == school_unit, nearness, fact.school_unit

    current = max(valid, key=preference)
    return Place(
        school_unit=current.school_unit,
        groups=tuple(current.groups),
        coach=current.coach,
        protected=protected,
        ended=current.starts_on <= day and not _covers(current, day),
        deceased=any(fact.end_reason == "deceased" for fact in valid),
        known=True,
    )


def _key(fact: EnrolmentChanged) -> tuple[str, date]:
    return fact.school_unit, fact.starts_on


def _age(fact: EnrolmentChanged) -> tuple[int, str]:
    return fact.revision, content_digest(fact.model_dump(mode="json"))


def _covers(fact: EnrolmentChanged, day: date) -> bool:
    if fact.starts_on > day:
        return False
    if fact.ends_on is not None:
        return day <= fact.ends_on
    return fact.status is not EnrolmentStatus.ENDED
