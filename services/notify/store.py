"""Notify's collections, and the only place that knows their fields.

    staff             {_id: "2480/staff:anna", authority, staff, revision, digest, name, email, roles, scope, language, active}
    notify_students   {_id: student, rev, enrolments: [data of enrolment.changed.v1, …]}

`alerts` has a module of its own (`alert_store`). No student's name is in any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from services.notify.places import Place, merged
from services.notify.recipients import StaffMember
from services.notify.together import Together
from shared import metrics
from shared.events import (
    EnrolmentChanged,
    EnrolmentChangedEvent,
    StaffChangedEvent,
    StaffRole,
    content_digest,
)
from shared.mongo import ASCENDING, DuplicateKeyError, IndexModel, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Database

_Document = dict[str, Any]
_Responsible = tuple[str, str | None, str | None]  # authority, coach, school unit
_Statement = tuple[str, EnrolmentChanged]

FALLBACK_ROLES = [StaffRole.COORDINATOR.value, StaffRole.PRINCIPAL.value]


class People:
    """Staff and students' enrolments. All writes may come in any order and any number of times.

    Every method raises `Outage` when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._staff = database["staff"]
        self._students = database["notify_students"]
        self._responsible = Together(self._find_responsible)
        self._merge = Together(self._merge_enrolments)
        self._known = Together(self._find_enrolments)

    async def prepare(self) -> None:
        """Creates the indexes."""
        await ensure_indexes(self._staff, [IndexModel([("scope", ASCENDING)])])

    async def keep_staff(self, event: StaffChangedEvent) -> bool:
        """Keeps the statement unless one as new is there; says whether it did."""
        data = event.data.model_dump(mode="json")
        digest = content_digest(data)
        revision = event.data.revision
        older = [{"revision": {"$lt": revision}}, {"revision": revision, "digest": {"$lt": digest}}]
        fields = {**data, "digest": digest, "authority": event.authority, "staff": event.subject}
        with outages():
            try:
                written = await self._staff.update_one(
                    {"_id": _staff_key(event.authority, event.subject), "$or": older}, {"$set": fields}, upsert=True
                )
            except DuplicateKeyError:
                return False
        return bool(written.modified_count or written.upserted_id is not None)

    async def staff_for(self, authority: str, place: Place) -> list[StaffMember]:
        """Everybody who may come into question for a student: the coach, and who answers for the unit."""
        return await self._responsible((authority, place.coach, place.school_unit))

    async def member(self, authority: str, staff: str) -> StaffMember | None:
        """One person of an authority, active or not."""
        with outages():
            document = await self._staff.find_one({"_id": _staff_key(authority, staff)})
        return _member(document) if document else None

    async def _find_responsible(self, asks: list[_Responsible]) -> list[list[StaffMember]]:
        coaches = sorted({_staff_key(authority, coach) for authority, coach, _ in asks if coach is not None})
        units = sorted({unit for _, _, unit in asks if unit is not None})
        with outages():
            found = [document async for document in self._staff.find({"_id": {"$in": coaches}})]
            query = {"scope": {"$in": units}, "roles": {"$in": FALLBACK_ROLES}}
            found += [document async for document in self._staff.find(query)]
        members = {document["_id"]: (document["authority"], _member(document)) for document in found}
        return [
            [
                member
                for owner, member in members.values()
                if owner == authority and (member.staff == coach or unit in member.scope)
            ]
            for authority, coach, unit in asks
        ]

    async def keep_enrolment(self, event: EnrolmentChangedEvent) -> bool:
        """Keeps the statement unless one as new is there; says whether it did."""
        while True:
            kept = await self._merge((event.subject, event.data))
            if kept is not None:
                return kept
            metrics.CONFLICTS.labels("notify").inc()

    async def _merge_enrolments(self, asks: list[_Statement]) -> list[bool | None]:
        """For each statement whether it was news; nothing where another replica was faster."""
        documents = await self._documents([student for student, _ in asks])
        states = {student: _enrolments(document) for student, document in documents.items()}
        news: list[bool] = []
        for student, fact in asks:
            state = merged(states[student], fact)
            news.append(state is not None)
            states[student] = states[student] if state is None else state
        changed = sorted({student for (student, _), new in zip(asks, news, strict=True) if new})
        operations = [_enrolments_write(student, documents[student], states[student]) for student in changed]
        outcome = await bulk_write(self._students, operations)
        lost = {changed[position] for position in outcome.duplicates}
        return [None if student in lost else new for (student, _), new in zip(asks, news, strict=True)]

    async def enrolments(self, student: str) -> list[EnrolmentChanged]:
        """All that is known of a student's enrolments, retracted ones too."""
        return await self._known(student)

    async def _find_enrolments(self, students: list[str]) -> list[list[EnrolmentChanged]]:
        documents = await self._documents(students)
        return [_enrolments(documents[student]) for student in students]

    async def _documents(self, students: list[str]) -> dict[str, _Document]:
        with outages():
            found = self._students.find({"_id": {"$in": sorted(set(students))}})
            documents = {document["_id"]: document async for document in found}
        return {student: documents.get(student, {"rev": 0, "enrolments": []}) for student in students}


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


def _enrolments(document: _Document) -> list[EnrolmentChanged]:
    return [EnrolmentChanged.model_validate_json(orjson.dumps(fact)) for fact in document["enrolments"]]


def _enrolments_write(student: str, read: _Document, state: list[EnrolmentChanged]) -> UpdateOne:
    """Guarded by the `rev` that was read: against a newer document the upsert meets the key, which says that it lost."""
    fields = {"rev": read["rev"] + 1, "enrolments": [fact.model_dump(mode="json") for fact in state]}
    return UpdateOne({"_id": student, "rev": read["rev"]}, {"$set": fields}, upsert=True)
