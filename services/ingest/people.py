"""Who a student is: a merge of what enrolments say, the same in whatever order they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

from services.ingest.contradictions import words
from services.ingest.nationals import KnownIds, NationalId
from shared.events import DoorEnrolmentChanged

NEVER = -1


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """What is known of the person behind a pseudonym.

    `revision` is that of the enrolment the flags are from, `names_revision` that of the names, `protected_revision` the
    highest that said *protected*: names told before it are gone for good. National ids are known by their keyed hashes alone.
    """

    authority: str
    given_name: str | None = None
    family_name: str | None = None
    protected: bool = False
    turns_18_on: date | None = None
    revision: int = NEVER
    names_revision: int = NEVER
    protected_revision: int = NEVER
    national_ids: KnownIds = field(default_factory=KnownIds)


def with_national_ids(
    record: PersonRecord, enrolment: DoorEnrolmentChanged, stated: tuple[NationalId, ...], *, is_confirmed: bool
) -> PersonRecord:
    """The record after the national ids that an enrolment states, the valid one first. Names stay as they are.

    Raises:
        Contradiction: they are another person's, as far as can be told.
    """
    person = None if enrolment.protected else enrolment.person
    told = words(person.given_name, person.family_name) if person else frozenset()
    agree = bool(told & words(record.given_name, record.family_name))
    is_newest = enrolment.revision >= max(record.names_revision, record.revision)
    known = record.national_ids.after(stated, names_agree=agree, is_confirmed=is_confirmed, is_newest=is_newest)
    return replace(record, national_ids=known)


def fold(record: PersonRecord, enrolment: DoorEnrolmentChanged) -> PersonRecord:
    """The record after one more enrolment revision: the highest wins, on a tie the one that protects.

    A retraction speaks of the place at the school unit, not of the person: it can protect, but never lift protection.
    """
    if enrolment.protected:
        record = replace(record, protected_revision=max(record.protected_revision, enrolment.revision))
    if enrolment.protected or enrolment.state == "recorded":
        record = _with_flags(record, enrolment)
    record = _with_names(record, enrolment)
    if record.protected or record.names_revision <= record.protected_revision:
        record = replace(record, given_name=None, family_name=None)
    return record


def _with_flags(record: PersonRecord, enrolment: DoorEnrolmentChanged) -> PersonRecord:
    new = replace(
        record,
        protected=enrolment.protected,
        turns_18_on=enrolment.turns_18_on,
        revision=enrolment.revision,
    )
    return max(record, new, key=lambda each: (each.revision, each.protected, str(each.turns_18_on or "")))


def _with_names(record: PersonRecord, enrolment: DoorEnrolmentChanged) -> PersonRecord:
    person = enrolment.person
    if person is None:
        return record
    new = replace(
        record,
        given_name=person.given_name,
        family_name=person.family_name,
        names_revision=enrolment.revision,
    )
    return max(record, new, key=lambda each: (each.names_revision, each.given_name or "", each.family_name or ""))
