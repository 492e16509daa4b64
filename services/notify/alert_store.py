"""The collection `alerts`, and the only place that knows its fields.

    {_id: "p_…:3", rev, student, n, authority, state, created_at, due_at, failures, change: {data of risk.level_changed.v1},
     sought: {coach, school_unit}, refusals: [{staff, email, answer}], told: {staff, role}, sent_at, problem}

`due_at` exists while the alert is not final, and orders all work; for `sending` it is the end of the lease. Every change
of one alert is guarded by `rev`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from services.notify.alerts import LEASE, WAITING, Alert, AlertState, Refusal
from services.notify.places import Place
from shared.events import RiskLevelChanged, RiskLevelChangedEvent
from shared.mongo import ASCENDING, DuplicateKeyError, IndexModel, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

MAILED = (AlertState.SENDING.value, AlertState.SENT.value)
WAITING_VALUES = [state.value for state in WAITING]
OPEN_VALUES = [AlertState.DUE.value, AlertState.SENDING.value, *WAITING_VALUES]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts a list shows; nothing = all."""

    state: AlertState | None = None
    student: str | None = None
    authority: str | None = None


class Alerts:
    """All alerts. Every method raises `Outage` when the database is away or the outcome unknown."""

    def __init__(self, database: Database) -> None:
        self._alerts: Collection = database["alerts"]

    async def prepare(self) -> None:
        """Creates the indexes."""
        indexes = [
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([("student", ASCENDING), ("n", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("_id", ASCENDING)]),
        ]
        await ensure_indexes(self._alerts, indexes)

    async def add(self, event: RiskLevelChangedEvent, now: datetime) -> AlertState | None:
        """Stores the alert of a level change: due, or superseded when a newer one of the student is there already.

        Returns its state; nothing when the alert was there before (a repetition).
        """
        key, n = f"{event.subject}:{event.data.n}", event.data.n
        with outages():
            newer = await self._alerts.find_one({"student": event.subject, "n": {"$gt": n}}, {"_id": 1})
            state = AlertState.DUE if newer is None else AlertState.SUPERSEDED
            fields: dict[str, Any] = {
                "_id": key,
                "rev": 1,
                "student": event.subject,
                "n": n,
                "authority": event.authority,
                "state": state.value,
                "created_at": now,
                "failures": 0,
                "change": event.data.model_dump(mode="json", by_alias=True),
            }
            if state is AlertState.DUE:
                fields["due_at"] = now
            try:
                await self._alerts.insert_one(fields)
            except DuplicateKeyError:
                return None
        return state

    async def open(self, student: str) -> list[Alert]:
        """The student's alerts that are not final, oldest change first."""
        with outages():
            found = self._alerts.find({"student": student, "state": {"$in": OPEN_VALUES}}).sort("n", ASCENDING)
            return [_alert(document) async for document in found]

    async def claim(self, alert: Alert, now: datetime) -> Alert | None:
        """Takes the lease; nothing when another replica was faster."""
        fields = {"state": AlertState.SENDING.value, "due_at": now + LEASE}
        return await self.change(alert, fields)

    async def change(self, alert: Alert, fields: dict[str, Any]) -> Alert | None:
        """Writes fields of an alert that nobody has changed since it was read; nothing when somebody has."""
        gone = {name: "" for name, value in fields.items() if value is None}
        kept = {name: value for name, value in fields.items() if value is not None}
        update: dict[str, Any] = {"$set": {**kept, "rev": alert.rev + 1}}
        if gone:
            update["$unset"] = gone
        with outages():
            written = await self._alerts.update_one({"_id": alert.id, "rev": alert.rev}, update)
            document = await self._alerts.find_one({"_id": alert.id}) if written.modified_count else None
        return _alert(document) if document else None

    async def newer_mailed(self, student: str, n: int) -> bool:
        """Whether a later change of the student has been mailed or is being mailed just now."""
        query = {"student": student, "n": {"$gt": n}, "state": {"$in": list(MAILED)}}
        with outages():
            return await self._alerts.find_one(query, {"_id": 1}) is not None

    async def defer(self, student: str, until: datetime) -> None:
        """Lets the student's other alerts wait for the one that must be mailed before them."""
        query = {"student": student, "state": {"$in": OPEN_VALUES}, "due_at": {"$lt": until}}
        with outages():
            await self._alerts.update_many(query, {"$set": {"due_at": until}})

    async def wake_student(self, student: str, now: datetime) -> int:
        """The student's alerts that wait for somebody to tell are due now; how many they are."""
        return await self._wake({"student": student}, now)

    async def wake_for(self, authority: str, staff: str, scope: list[str], now: datetime) -> int:
        """Alerts that wait for this person, or for somebody at these units, are due now; how many they are."""
        sought = [{"sought.coach": staff}, {"sought.school_unit": {"$in": scope}}]
        return await self._wake({"authority": authority, "$or": sought}, now)

    async def _wake(self, query: dict[str, Any], now: datetime) -> int:
        waiting = {**query, "state": {"$in": WAITING_VALUES}}
        with outages():
            result = await self._alerts.update_many(waiting, {"$set": {"due_at": now, "failures": 0}})
        return int(result.modified_count)

    async def due_students(self, now: datetime, limit: int) -> list[str]:
        """Students who have alerts to look at, the longest due first, each once."""
        with outages():
            found = self._alerts.find({"due_at": {"$lte": now}}, {"student": 1}).sort("due_at", ASCENDING).limit(limit)
            return list(dict.fromkeys([document["student"] async for document in found]))

    async def counts(self) -> dict[AlertState, int]:
        """How many alerts are in each state that is not final."""
        with outages():
            return {AlertState(value): await self._alerts.count_documents({"state": value}) for value in OPEN_VALUES}

    async def one(self, alert_id: str) -> Alert | None:
        """An alert by its id."""
        with outages():
            document = await self._alerts.find_one({"_id": alert_id})
        return _alert(document) if document else None

    async def page(self, which: Filter, after: str | None, limit: int) -> list[Alert]:
        """At most `limit` alerts in the order of their ids, from the one behind `after` on."""
        chosen = {"state": which.state and which.state.value, "student": which.student, "authority": which.authority}
        query: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        if after is not None:
            query["_id"] = {"$gt": after}
        with outages():
            found = self._alerts.find(query).sort("_id", ASCENDING).limit(limit)
            return [_alert(document) async for document in found]


def told(staff: str, role: str) -> dict[str, Any]:
    """Fields that note who was mailed."""
    return {"told": {"staff": staff, "role": role}}


def sought(place: Place) -> dict[str, Any]:
    """Fields that make the alert be found when this coach, or somebody at this unit, becomes known."""
    return {"sought": {"coach": place.coach, "school_unit": place.school_unit}}


def refusals(given: tuple[Refusal, ...]) -> dict[str, Any]:
    """Fields that hold the mail system's answers."""
    return {"refusals": [{"staff": item.staff, "email": item.email, "answer": item.answer} for item in given]}


def _alert(document: dict[str, Any]) -> Alert:
    person = document.get("told")
    return Alert(
        id=document["_id"],
        student=document["student"],
        authority=document["authority"],
        change=RiskLevelChanged.model_validate_json(orjson.dumps(document["change"])),
        state=AlertState(document["state"]),
        created_at=document["created_at"],
        rev=document["rev"],
        due_at=document.get("due_at"),
        failures=document["failures"],
        waited="sought" in document,
        refusals=tuple(Refusal(**item) for item in document.get("refusals", [])),
        told=(person["staff"], person["role"]) if person else None,
        sent_at=document.get("sent_at"),
        problem=document.get("problem"),
    )
