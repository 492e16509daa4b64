"""The collection `alerts`, and the only place that knows its fields.

    {_id: "p_…:3", rev, student, n, authority, state, created_at, due_at, failures, change: {data of risk.level_changed.v1},
     sought: {coach, school_unit}, refusals: [{staff, email, answer}], told: {staff, role}, sent_at, problem, mark}

`due_at` exists while the alert is not final, and orders all work; for `sending` it is the end of the lease. Every change
of one alert is guarded by `rev`; `mark` is that of the last one.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from services.notify.alerts import LEASE, WAITING, Alert, AlertState, Refusal
from services.notify.places import Place
from services.notify.together import Together
from shared.events import RiskLevelChanged, RiskLevelChangedEvent
from shared.mongo import ASCENDING, IndexModel, InsertOne, UpdateOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

MAILED = [AlertState.SENDING.value, AlertState.SENT.value]
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
        self._add = Together(self._insert)
        self._open = Together(self._find_open)
        self._change = Together(self._write)
        self._mailed = Together(self._newest_mailed)
        self._wake_students = Together(self._wake_all)

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
        return await self._add((event, now))

    async def _insert(self, asks: list[tuple[RiskLevelChangedEvent, datetime]]) -> list[AlertState | None]:
        newest = await self._newest({"student": {"$in": sorted({event.subject for event, _ in asks})}})
        documents = [_document(event, now, newest[event.subject]) for event, now in asks]
        outcome = await bulk_write(self._alerts, [InsertOne(document) for document in documents])
        return [
            None if position in outcome.duplicates else AlertState(document["state"])
            for position, document in enumerate(documents)
        ]

    async def _newest(self, query: dict[str, Any]) -> dict[str, int]:
        """The highest `n` of each student among the alerts of a query; 0 for none."""
        newest: dict[str, int] = defaultdict(int)
        with outages():
            async for document in self._alerts.find(query, {"student": 1, "n": 1}):
                newest[document["student"]] = max(newest[document["student"]], document["n"])
        return newest

    async def open(self, student: str) -> list[Alert]:
        """The student's alerts that are not final, oldest change first."""
        return await self._open(student)

    async def _find_open(self, students: list[str]) -> list[list[Alert]]:
        found: dict[str, list[Alert]] = {student: [] for student in students}
        query = {"student": {"$in": sorted(found)}, "state": {"$in": OPEN_VALUES}}
        with outages():
            async for document in self._alerts.find(query):
                found[document["student"]].append(_alert(document))
        return [sorted(found[student], key=lambda alert: alert.change.n) for student in students]

    async def claim(self, alert: Alert, now: datetime) -> Alert | None:
        """Takes the lease; nothing when another replica was faster. Returns the alert as it stands then."""
        until = now + LEASE
        if not await self.change(alert, {"state": AlertState.SENDING.value, "due_at": until}):
            return None
        return replace(alert, state=AlertState.SENDING, due_at=until, rev=alert.rev + 1)

    async def renew(self, alert: Alert, now: datetime) -> None:
        """Prolongs the lease, unless it has been lost."""
        with outages():
            await self._alerts.update_one({"_id": alert.id, "rev": alert.rev}, {"$set": {"due_at": now + LEASE}})

    async def change(self, alert: Alert, fields: dict[str, Any]) -> bool:
        """Writes fields of an alert (`None` removes one) unless somebody has changed it since it was read; says which."""
        return await self._change((alert, fields))

    async def _write(self, asks: list[tuple[Alert, dict[str, Any]]]) -> list[bool]:
        marks = [secrets.token_hex(8) for _ in asks]
        operations = [_update(alert, fields, mark) for (alert, fields), mark in zip(asks, marks, strict=True)]
        outcome = await bulk_write(self._alerts, operations)
        if outcome.matched == len(asks):
            return [True] * len(asks)
        # A bulk write tells how many it met, not which: the marks do.
        with outages():
            found = self._alerts.find({"_id": {"$in": [alert.id for alert, _ in asks]}}, {"mark": 1})
            standing = {document.get("mark") async for document in found}
        return [mark in standing for mark in marks]

    async def newer_mailed(self, student: str, n: int) -> bool:
        """Whether a later change of the student has been mailed or is being mailed just now."""
        return await self._mailed(student) > n

    async def _newest_mailed(self, students: list[str]) -> list[int]:
        newest = await self._newest({"student": {"$in": sorted(set(students))}, "state": {"$in": MAILED}})
        return [newest[student] for student in students]

    async def defer(self, student: str, until: datetime) -> None:
        """Lets the student's other alerts wait for the one that must be mailed before them."""
        query = {"student": student, "state": {"$in": OPEN_VALUES}, "due_at": {"$lt": until}}
        with outages():
            await self._alerts.update_many(query, {"$set": {"due_at": until}})

    async def wake_student(self, student: str, now: datetime) -> bool:
        """The student's alerts that wait for somebody to tell are due now; says whether anybody's may have become so."""
        return await self._wake_students((student, now))

    async def _wake_all(self, asks: list[tuple[str, datetime]]) -> list[bool]:
        query = {"student": {"$in": sorted({student for student, _ in asks})}}
        return [await self._wake(query, max(now for _, now in asks))] * len(asks)

    async def wake_for(self, authority: str, staff: str, scope: list[str], now: datetime) -> bool:
        """Alerts that wait for this person, or for somebody at these units, are due now; says whether there are any."""
        query = {"state": {"$in": WAITING_VALUES}}
        with outages():
            found = self._alerts.find(query, {"authority": 1, "sought": 1})
            meant = [document["_id"] async for document in found if _seeks(document, authority, staff, scope)]
        return await self._wake({"_id": {"$in": meant}}, now) if meant else False

    async def _wake(self, query: dict[str, Any], now: datetime) -> bool:
        waiting = {**query, "state": {"$in": WAITING_VALUES}}
        with outages():
            result = await self._alerts.update_many(waiting, {"$set": {"due_at": now, "failures": 0}})
        return bool(result.modified_count)

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


def _document(event: RiskLevelChangedEvent, now: datetime, newest: int) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "_id": f"{event.subject}:{event.data.n}",
        "rev": 1,
        "student": event.subject,
        "n": event.data.n,
        "authority": event.authority,
        "created_at": now,
        "failures": 0,
        "change": event.data.model_dump(mode="json", by_alias=True),
    }
    if newest > event.data.n:
        return {**fields, "state": AlertState.SUPERSEDED.value}
    return {**fields, "state": AlertState.DUE.value, "due_at": now}


def _update(alert: Alert, fields: dict[str, Any], mark: str) -> UpdateOne:
    kept = {name: value for name, value in fields.items() if value is not None}
    gone = {name: "" for name, value in fields.items() if value is None}
    update: dict[str, Any] = {"$set": {**kept, "rev": alert.rev + 1, "mark": mark}}
    if gone:
        update["$unset"] = gone
    return UpdateOne({"_id": alert.id, "rev": alert.rev}, update)


def _seeks(document: dict[str, Any], authority: str, staff: str, scope: list[str]) -> bool:
    wanted = document["sought"]
    return document["authority"] == authority and (wanted["coach"] == staff or wanted["school_unit"] in scope)


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
