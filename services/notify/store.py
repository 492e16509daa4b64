"""Notify's collections, and the only place that knows their fields.

    staff             {_id: "2480/staff:anna", authority, staff, revision, digest, name, email, roles, scope, language, active}
    notify_students   {_id: student, rev, places: [{fields of a place, protected, deceased}, …]}

`alerts` has a module of its own (`alert_store`). No student's name is in any of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from services.notify.places import Situation, Statement, merged, same_place, statement_of
from services.notify.recipients import StaffMember
from services.notify.together import Together
from shared import metrics
from shared.events import EnrolmentChanged, EnrolmentChangedEvent, Precedence, StaffChangedEvent, StaffRole, precedence
from shared.events.places import Place
from shared.mongo import ASCENDING, DuplicateKeyError, IndexModel, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Database

_Document = dict[str, Any]
_Responsible = tuple[str, tuple[str, ...], str | None]  # authority, coaches, school unit
_Stated = tuple[str, Statement]

LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)
STAFF_AT_MOST = 50
"""Of one role at one unit who come into question, by staff id: the first of them who can be told is."""
FALLBACK_ROLES = [StaffRole.COORDINATOR.value, StaffRole.PRINCIPAL.value]


class Kept(StrEnum):
    """What became of a statement."""

    NEWS = "news"
    REPEATED = "repeated"
    """It was known."""
    OLDER = "older"
    """A newer version of it is known: it changes nothing."""
    BEYOND = "beyond"
    """It is of a place that begins before all those that count."""


class People:
    """Staff and students' places. All writes may come in any order and any number of times. `zone`: the authority's.

    Every method raises `Outage` when the database is away.
    """

    def __init__(self, database: Database, zone: tzinfo) -> None:
        self._staff = database["staff"]
        self._students = database["notify_students"]
        self._zone = zone
        self._responsible = Together(self._find_responsible)
        self._merge = Together(self._merge_statements)
        self._known = Together(self._find_statements)

    async def prepare(self) -> None:
        """Creates the indexes."""
        await ensure_indexes(self._staff, [IndexModel([("scope", ASCENDING)])])

    async def keep_staff(self, event: StaffChangedEvent) -> Kept:
        """Keeps the statement unless one as new is there."""
        key, (revision, digest) = _staff_key(event.authority, event.subject), precedence(event.data)
        older = [{"revision": {"$lt": revision}}, {"revision": revision, "digest": {"$lt": digest}}]
        data = event.data.model_dump(mode="json")
        fields = {**data, "digest": digest, "authority": event.authority, "staff": event.subject}
        with outages():
            try:
                await self._staff.update_one({"_id": key, "$or": older}, {"$set": fields}, upsert=True)
            except DuplicateKeyError:
                known = await self._staff.find_one({"_id": key}, {"revision": 1, "digest": 1}) or fields
                return _not_news((revision, digest), (known["revision"], known["digest"]))
        return Kept.NEWS

    async def staff_for(self, authority: str, about: Situation) -> list[StaffMember]:
        """Everybody who may come into question for a student: the coaches, and who answers for the unit."""
        return await self._responsible((authority, about.coaches, about.school_unit))

    async def member(self, authority: str, staff: str) -> StaffMember | None:
        """One person of an authority, active or not."""
        with outages():
            document = await self._staff.find_one({"_id": _staff_key(authority, staff)})
        return _member(document) if document else None

    async def _find_responsible(self, asks: list[_Responsible]) -> list[list[StaffMember]]:
        named = sorted({_staff_key(authority, coach) for authority, coaches, _ in asks for coach in coaches})
        units = sorted({(authority, unit) for authority, _, unit in asks if unit is not None})
        with outages():
            found = [document async for document in self._staff.find({"_id": {"$in": named}})]
            for authority, unit in units:
                for role in FALLBACK_ROLES:
                    query = {"authority": authority, "scope": unit, "roles": role, "active": True}
                    first = self._staff.find(query).sort("_id", ASCENDING).limit(STAFF_AT_MOST)
                    found += [document async for document in first]
        members = {document["_id"]: (document["authority"], _member(document)) for document in found}
        return [
            [
                member
                for owner, member in members.values()
                if owner == authority and (member.staff in coaches or unit in member.scope)
            ]
            for authority, coaches, unit in asks
        ]

    async def keep_enrolment(self, event: EnrolmentChangedEvent) -> Kept:
        """Keeps the statement unless one as new is there."""
        stated = event.subject, statement_of(event.data, event.time, self._zone)
        while (kept := await self._merge(stated)) is None:
            metrics.CONFLICTS.labels("notify").inc()
        return kept

    async def _merge_statements(self, asks: list[_Stated]) -> list[Kept | None]:
        """What became of each statement; nothing where another replica was faster."""
        documents = await self._documents([student for student, _ in asks])
        states = {student: _statements(document) for student, document in documents.items()}
        outcomes: list[Kept] = []
        for student, statement in asks:
            known, after = states[student], merged(states[student], statement)
            outcomes.append(Kept.NEWS if after is not None else _not_news_of(known, statement))
            states[student] = known if after is None else after
        changed = sorted({student for (student, _), kept in zip(asks, outcomes, strict=True) if kept is Kept.NEWS})
        operations = [_statements_write(student, documents[student], states[student]) for student in changed]
        outcome = await bulk_write(self._students, operations)
        lost = {changed[position] for position in outcome.duplicates}
        return [None if student in lost else kept for (student, _), kept in zip(asks, outcomes, strict=True)]

    async def statements(self, student: str) -> list[Statement]:
        """All that is known of a student's places, retracted ones too."""
        return await self._known(student)

    async def _find_statements(self, students: list[str]) -> list[list[Statement]]:
        documents = await self._documents(students)
        return [_statements(documents[student]) for student in students]

    async def _documents(self, students: list[str]) -> dict[str, _Document]:
        with outages():
            found = self._students.find({"_id": {"$in": sorted(set(students))}})
            documents = {document["_id"]: document async for document in found}
        return {student: documents.get(student, {"rev": 0, "places": []}) for student in students}


def _staff_key(authority: str, staff: str) -> str:
    # Staff ids are unique within an authority only.
    return f"{authority}/{staff}"


def _member(document: dict[str, Any]) -> StaffMember:
    return StaffMember(
        staff=document["staff"],
        name=document["name"],
        email=document["email"],
        roles=frozenset(StaffRole(role) for role in document["roles"]),
        scope=frozenset(document["scope"]),
        language=document["language"],
        active=document["active"],
    )


def _not_news_of(known: list[Statement], given: Statement) -> Kept:
    before = same_place(known, given)
    return _not_news(_version(given.place), _version(before.place)) if before is not None else Kept.BEYOND


def _not_news(given: Precedence, known: Precedence) -> Kept:
    return Kept.OLDER if given < known else Kept.REPEATED


def _version(place: Place) -> Precedence:
    return place.revision, place.digest


def _statements(document: _Document) -> list[Statement]:
    if "places" not in document:
        # An older version kept the data of the events, without their time: what had ended without a day is over.
        facts = [EnrolmentChanged.model_validate_json(orjson.dumps(item)) for item in document["enrolments"]]
        return [statement_of(fact, LONG_AGO, UTC) for fact in facts]
    return [_statement(dict(item)) for item in document["places"]]


def _statement(item: _Document) -> Statement:
    protected, deceased = item.pop("protected"), item.pop("deceased")
    groups, coaches = tuple(item.pop("groups")), tuple(item.pop("coaches"))
    return Statement(Place(**item, groups=groups, coaches=coaches), protected, deceased)


def _statements_write(student: str, read: _Document, state: list[Statement]) -> UpdateOne:
    """Guarded by the `rev` that was read: against a newer document the upsert meets the key, which says that it lost."""
    places = [{**one.place._asdict(), "protected": one.protected, "deceased": one.deceased} for one in state]
    update = {"$set": {"rev": read["rev"] + 1, "places": places}, "$unset": {"enrolments": ""}}
    return UpdateOne({"_id": student, "rev": read["rev"]}, update, upsert=True)
