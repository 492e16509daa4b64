"""Who is who: the references of an authority's systems to one student, linked to one pseudonym, for ever.

The first writer of a reference wins, so a link never changes and may be remembered. Facts may arrive before the enrolment that
links their references; when two references have become two students that way, linking them is refused, not guessed. So is an
enrolment that brings another national id than the one known for its student.

Nothing is written for what is refused. What another replica does at the same moment is met by an order of writing: a new
student's first reference; the national id in the person's record, by compare-and-set; the other references; `civic:`
references last. So of two events that contradict each other one loses before its national id is linked to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.ingest.contradictions import Contradiction
from services.ingest.nationals import NationalId, another_than_known
from services.ingest.people import PersonRecord, fold, with_national_ids
from shared.errors import FieldError, Reject
from shared.events import DoorEnrolmentChanged

TWO_STUDENTS = Reject(
    "the references are already known as different students",
    (FieldError("$.data.person.references", "references of different students", "references of one student"),),
)

NewPseudonym = Callable[[], str]
"""Makes a pseudonym that nobody has."""

Key = tuple[str, str]
"""Authority and keyed hash of a reference."""

Version = int
NEW_VERSION: Version = 0
"""Of a record that is not there yet."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One event's statement that these references (keyed hashes, at least one) mean one student.

    `national_ids`: those among the references, of an enrolment alone, the valid one first. `is_confirmed`: somebody has looked at
    the contradiction and says that it is none.
    """

    authority: str
    references: tuple[str, ...]
    national_ids: tuple[NationalId, ...] = ()
    enrolment: DoorEnrolmentChanged | None = None
    is_confirmed: bool = False

    @property
    def keys(self) -> list[Key]:
        """The references within their authority."""
        return [(self.authority, reference) for reference in self.references]

    @property
    def civic_keys(self) -> list[Key]:
        """Those that are national ids."""
        return [(self.authority, one.key) for one in self.national_ids]


@dataclass(slots=True)
class Known:
    """What is stored, as far as it was read: links, and person records with their versions by pseudonym."""

    links: dict[Key, str] = field(default_factory=dict)
    people: dict[str, tuple[PersonRecord, Version]] = field(default_factory=dict)


@dataclass(slots=True)
class Linking:
    """What `link` found: one answer for each claim, and what to do before the answers can be relied upon.

    `unread`: pseudonyms whose records must be read first, with their authority. `records`: to be written over the version that
    they were made from. `links`: to be written.
    """

    answers: list[str | Reject] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    records: dict[str, tuple[PersonRecord, Version]] = field(default_factory=dict)
    links: dict[Key, str] = field(default_factory=dict)


def link(claims: Sequence[Claim], known: Known, new: NewPseudonym) -> Linking:
    """Resolves claims in order, each knowing those before it, and says what is to be read or written next.

    Whoever calls does so, adds what holds to `known`, and links again until nothing is left to do.
    """
    linker = _Linker(known, new)
    for claim in claims:
        linker.take(claim)
    return linker.linking


class _Linker:
    """`supposed` and `told`: what will hold when the claims so far have come in."""

    def __init__(self, known: Known, new: NewPseudonym) -> None:
        self.linking = Linking()
        self._known = known
        self._new = new
        self._supposed: dict[Key, str] = {}
        self._told: dict[str, PersonRecord] = {}

    def take(self, claim: Claim) -> None:
        firm = {self._known.links[key] for key in claim.keys if key in self._known.links}
        found = firm | {self._supposed[key] for key in claim.keys if key in self._supposed}
        if len(found) > 1:
            self.linking.answers.append(self._two_students(claim))
            return
        pseudonym = next(iter(found)) if found else self._new()
        try:
            self._tell(claim, pseudonym, is_firm=bool(firm))
        except Contradiction as contradiction:
            self.linking.answers.append(contradiction)
            return
        self._supposed |= dict.fromkeys((key for key in claim.keys if key not in self._known.links), pseudonym)
        self.linking.answers.append(pseudonym)
        if firm:
            self._settle(claim, pseudonym)
        elif not found:
            self.linking.links[_first(claim)] = pseudonym

    def _two_students(self, claim: Claim) -> Reject:
        """It contradicts what is known when the references are of a student with a national id, and this one is another's."""
        others = [key for key in claim.keys if key not in claim.civic_keys]
        known = {self._known.links[key] for key in others if key in self._known.links}
        if not claim.national_ids or claim.is_confirmed or len(known) != 1:
            return TWO_STUDENTS
        pseudonym = known.pop()
        if pseudonym not in self._known.people:
            self.linking.unread[pseudonym] = claim.authority
        ids = self._record(claim.authority, pseudonym)[0].national_ids
        return another_than_known() if ids.valid is not None and not ids.knows(claim.national_ids) else TWO_STUDENTS

    def _tell(self, claim: Claim, pseudonym: str, *, is_firm: bool) -> None:
        if claim.enrolment is None:
            return
        if pseudonym not in self._told:
            if is_firm and pseudonym not in self._known.people:
                self.linking.unread[pseudonym] = claim.authority
            self._told[pseudonym] = self._record(claim.authority, pseudonym)[0]
        record = with_national_ids(
            self._told[pseudonym], claim.enrolment, claim.national_ids, is_confirmed=claim.is_confirmed
        )
        self._told[pseudonym] = fold(record, claim.enrolment)

    def _record(self, authority: str, pseudonym: str) -> tuple[PersonRecord, Version]:
        """As stored, but for a national id that is linked to somebody else: its event lost it there and was refused."""
        record, version = self._known.people.get(pseudonym, (PersonRecord(authority), NEW_VERSION))
        valid = record.national_ids.valid
        if valid is not None and self._known.links.get((authority, valid.key), pseudonym) != pseudonym:
            record = replace(record, national_ids=record.national_ids.without_valid())
        return record, version

    def _settle(self, claim: Claim, pseudonym: str) -> None:
        """One step further for a claim whose student is known for certain."""
        record, version = self._record(claim.authority, pseudonym)
        if not record.national_ids.knows(claim.national_ids):
            settled = replace(record, national_ids=self._told[pseudonym].national_ids)
            self.linking.records[pseudonym] = settled, version
            return
        missing = [key for key in claim.keys if key not in self._known.links]
        others = [key for key in missing if key not in claim.civic_keys]
        self.linking.links |= dict.fromkeys(others or missing, pseudonym)


def _first(claim: Claim) -> Key:
    """What a new student is known by at first: a national id only where nothing else could contradict it."""
    others = [key for key in claim.keys if key not in claim.civic_keys]
    return (others or claim.civic_keys)[0]


def unread_national_ids(known: Known, pseudonyms: Mapping[str, str]) -> list[Key]:
    """National ids in the records of these pseudonyms (to authority) of which it is not known whose they are."""
    keys = [
        (authority, valid.key)
        for pseudonym, authority in pseudonyms.items()
        if (valid := known.people[pseudonym][0].national_ids.valid) is not None
    ]
    return [key for key in keys if key not in known.links]
