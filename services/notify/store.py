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
from shared import metrics
from shared.errors import Stale
from shared.events import (
    EnrolmentChanged,
    EnrolmentChangedEvent,
    StaffChangedEvent,
    StaffRole,
    content_digest,
)
from shared.mongo import ASCENDING, DuplicateKeyError, IndexModel, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Database

FALLBACK_ROLES = [StaffRole.COORDINATOR.value, StaffRole.PRINCIPAL.value]


class People:
    """Staff and students' enrolments. All writes may come in any order and any number of times.

    Every method raises `Outage` when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._staff = database["staff"]
        self._students = database["notify_students"]

    async def prepare(self) -> None:
        """Creates the indexes."""
        await ensure_indexes(self._staff, [IndexModel([("authority", ASCENDING), ("scope", ASCENDING)])])

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
        found: dict[str, StaffMember] = {}
        with outages():
            if place.coach is not None:
                coach = await self._staff.find_one({"_id": _staff_key(authority, place.coach)})
                if coach is not None:
                    found[place.coach] = _member(coach)
            if place.school_unit is not None:
                query = {"authority": authority, "scope": place.school_unit, "roles": {"$in": FALLBACK_ROLES}}
                async for document in self._staff.find(query):
                    found[document["staff"]] = _member(document)
        return list(found.values())

    async def keep_enrolment(self, event: EnrolmentChangedEvent) -> bool:
        """Keeps the statement unless one as new is there; says whether it did."""
        while True:
            try:
                return await self._merge_enrolment(event)
            except Stale:
                metrics.CONFLICTS.labels("notify").inc()

    async def _merge_enrolment(self, event: EnrolmentChangedEvent) -> bool:
        with outages():
            document = await self._students.find_one({"_id": event.subject})
        enrolments = merged(_enrolments(document), event.data)
        if enrolments is None:
            return False
        rev = document["rev"] if document else 0
        fields = {"rev": rev + 1, "enrolments": [fact.model_dump(mode="json") for fact in enrolments]}
        with outages():
            try:
                written = await self._students.update_one(
                    {"_id": event.subject, "rev": rev}, {"$set": fields}, upsert=document is None
                )
            except DuplicateKeyError as error:
                raise Stale("the student's enrolments") from error
        if not written.modified_count and written.upserted_id is None:
            raise Stale("the student's enrolments")
        return True

    async def enrolments(self, student: str) -> list[EnrolmentChanged]:
        """All that is known of a student's enrolments, retracted ones too."""
        with outages():
            return _enrolments(await self._students.find_one({"_id": student}))


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


def _enrolments(document: dict[str, Any] | None) -> list[EnrolmentChanged]:
    facts = document["enrolments"] if document else []
    return [EnrolmentChanged.model_validate_json(orjson.dumps(fact)) for fact in facts]
