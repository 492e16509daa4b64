"""The collection `alerts`; its fields: `alert_documents`."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.notify.alert_documents import AlertEvent, new_document, operators, read_alert, seeks, update_of
from services.notify.alerts import LEASE, OPEN, WAITING, Alert, AlertState
from services.notify.together import Together
from shared.mongo import ASCENDING, DESCENDING, IndexModel, InsertOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

WAITING_VALUES = [state.value for state in WAITING]
OPEN_VALUES = [state.value for state in OPEN]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts a list shows; nothing = all."""

    state: AlertState | None = None
    student: str | None = None
    authority: str | None = None


KEPT_OF_STUDENT = 500
"""Alerts of one student that are kept, the newest; nobody stands at two levels so often. They are pruned when there are twice as
many."""
WOKEN_AT_ONCE = 1_000


@dataclass(slots=True)
class Standing:
    """What is stored of one student. `newest`: the highest `n`; `withdrawn`: ids of the changes that withdrawals name."""

    newest: int = 0
    stored: int = 0
    withdrawn: set[str] = field(default_factory=set)


class Alerts:
    """All alerts. Every method raises `Outage` when the database is away or the outcome unknown."""

    def __init__(self, database: Database) -> None:
        self._alerts: Collection = database["alerts"]
        self._add = Together(self._insert)
        self._open = Together(self._find_open)
        self._change = Together(self._write)
        self._all = Together(self._find_all)
        self._wake_students = Together(self._wake_all)

    async def prepare(self) -> None:
        """Creates the indexes."""
        indexes = [
            IndexModel([("due_at", ASCENDING)]),
            IndexModel([("student", ASCENDING), ("n", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("_id", ASCENDING)]),
        ]
        await ensure_indexes(self._alerts, indexes)

    async def add(self, event: AlertEvent, now: datetime) -> AlertState | None:
        """Stores an alert. A change of level is due, or final at once: withdrawn, or superseded by a newer message.

        Returns its state; nothing when the alert was there before (a repetition).
        """
        return await self._add((event, now))

    async def _insert(self, asks: list[tuple[AlertEvent, datetime]]) -> list[AlertState | None]:
        standing = await self._standing_of([event.subject for event, _ in asks])
        documents = []
        for event, now in asks:
            known = standing[event.subject]
            documents.append(new_document(event, now, newest=known.newest, withdrawn=known.withdrawn))
        outcome = await bulk_write(self._alerts, [InsertOne(document) for document in documents])
        for student, known in standing.items():
            if known.stored > 2 * KEPT_OF_STUDENT:
                await self._prune(student, known.newest)
        return [
            None if position in outcome.duplicates else AlertState(document["state"])
            for position, document in enumerate(documents)
        ]

    async def _standing_of(self, students: list[str]) -> dict[str, Standing]:
        found: dict[str, Standing] = defaultdict(Standing)
        fields = {"student": 1, "n": 1, "withdraws": 1}
        with outages():
            async for document in self._alerts.find({"student": {"$in": sorted(set(students))}}, fields):
                known = found[document["student"]]
                known.newest = max(known.newest, document["n"])
                known.stored += 1
                if "withdraws" in document:
                    known.withdrawn.add(document["withdraws"])
        return found

    async def _prune(self, student: str, newest: int) -> None:
        """Deletes old alerts that are final. The one that was mailed last stays: it says which level was told."""
        with outages():
            sent = {"student": student, "state": AlertState.SENT.value}
            last = [one["n"] async for one in self._alerts.find(sent, {"n": 1}).sort("n", DESCENDING).limit(1)]
            await self._alerts.delete_many(
                {
                    "student": student,
                    "n": {"$lt": newest - KEPT_OF_STUDENT, "$nin": last},
                    "state": {"$nin": OPEN_VALUES},
                }
            )

    async def of(self, student: str) -> list[Alert]:
        """All alerts of a student, oldest first."""
        return await self._all(student)

    async def _find_all(self, students: list[str]) -> list[list[Alert]]:
        return await self._find(students, {})

    async def open(self, student: str) -> list[Alert]:
        """The student's alerts that are not final, oldest change first."""
        return await self._open(student)

    async def _find_open(self, students: list[str]) -> list[list[Alert]]:
        return await self._find(students, {"state": {"$in": OPEN_VALUES}})

    async def _find(self, students: list[str], which: dict[str, Any]) -> list[list[Alert]]:
        found: dict[str, list[Alert]] = {student: [] for student in students}
        with outages():
            async for document in self._alerts.find({"student": {"$in": sorted(found)}, **which}):
                found[document["student"]].append(read_alert(document))
        return [sorted(found[student], key=lambda alert: alert.change.n) for student in students]

    async def claim(self, alert: Alert, now: datetime) -> Alert | None:
        """Takes the lease; nothing when another replica was faster. Returns the alert as it stands then."""
        until = now + LEASE
        fields: dict[str, Any] = {"state": AlertState.SENDING.value, "due_at": until}
        begun = alert.begun or alert.abandoned
        if begun:
            fields["begun"] = True
        if not await self.change(alert, fields):
            return None
        return replace(alert, state=AlertState.SENDING, due_at=until, begun=begun, rev=alert.rev + 1)

    async def renew(self, alert: Alert, now: datetime) -> None:
        """Prolongs the lease, unless it has been lost."""
        with outages():
            await self._alerts.update_one({"_id": alert.id, "rev": alert.rev}, {"$set": {"due_at": now + LEASE}})

    async def note(self, alert: Alert, fields: dict[str, Any]) -> bool:
        """Writes fields (`None` removes one) under the lease, which goes on; says whether it is still held."""
        with outages():
            result = await self._alerts.update_one({"_id": alert.id, "rev": alert.rev}, operators(fields))
        return bool(result.matched_count)

    async def change(self, alert: Alert, fields: dict[str, Any]) -> bool:
        """Writes fields of an alert (`None` removes one) unless somebody has changed it since it was read; says which."""
        return await self._change((alert, fields))

    async def _write(self, asks: list[tuple[Alert, dict[str, Any]]]) -> list[bool]:
        marks = [secrets.token_hex(8) for _ in asks]
        operations = [update_of(alert, fields, mark) for (alert, fields), mark in zip(asks, marks, strict=True)]
        outcome = await bulk_write(self._alerts, operations)
        if outcome.matched == len(asks):
            return [True] * len(asks)
        # A bulk write tells how many it met, not which: the marks do.
        with outages():
            found = self._alerts.find({"_id": {"$in": [alert.id for alert, _ in asks]}}, {"mark": 1})
            standing = {document.get("mark") async for document in found}
        return [mark in standing for mark in marks]

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
        query = {"authority": authority, "state": {"$in": WAITING_VALUES}}
        is_any_woken, meant = False, list[str]()
        with outages():
            async for document in self._alerts.find(query, {"authority": 1, "sought": 1}):
                if seeks(document, authority, staff, scope):
                    meant.append(document["_id"])
                if len(meant) == WOKEN_AT_ONCE:
                    is_any_woken |= await self._wake({"_id": {"$in": meant}}, now)
                    meant.clear()
        return (await self._wake({"_id": {"$in": meant}}, now) if meant else False) or is_any_woken

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
        return read_alert(document) if document else None

    async def page(self, which: Filter, after: str | None, limit: int) -> list[Alert]:
        """At most `limit` alerts in the order of their ids, from the one behind `after` on."""
        chosen = {"state": which.state and which.state.value, "student": which.student, "authority": which.authority}
        query: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        if after is not None:
            query["_id"] = {"$gt": after}
        with outages():
            found = self._alerts.find(query).sort("_id", ASCENDING).limit(limit)
            return [read_alert(document) async for document in found]
