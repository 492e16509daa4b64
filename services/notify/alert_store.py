"""The collection `alerts`; its fields: `alert_documents`."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.notify.alert_documents import AlertEvent, new_document, operators, read_alert, seeks, update_of
from services.notify.alerts import LEASE, OPEN, WAITING, Alert, AlertState
from services.notify.together import Together
from shared.mongo import ASCENDING, IndexModel, InsertOne, bulk_write, ensure_indexes, outages

if TYPE_CHECKING:
    from shared.mongo import Collection, Database

_Change = tuple[Alert, dict[str, Any], datetime | None]

WAITING_VALUES = [state.value for state in WAITING]
OPEN_VALUES = [state.value for state in OPEN]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts are meant; nothing = all."""

    states: Sequence[AlertState] = ()
    student: str | None = None
    authority: str | None = None
    ids: Sequence[str] = ()

    @property
    def query(self) -> dict[str, Any]:
        """The same as a query."""
        chosen: dict[str, Any] = {"student": self.student, "authority": self.authority}
        query = {name: value for name, value in chosen.items() if value is not None}
        if self.states:
            query["state"] = {"$in": [state.value for state in self.states]}
        if self.ids:
            query["_id"] = {"$in": list(self.ids)}
        return query


@dataclass(slots=True)
class Standing:
    """What is stored of one student. `newest`: the highest `n`; `withdrawn`: ids of the changes that withdrawals name."""

    newest: int = 0
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
                if "withdraws" in document:
                    known.withdrawn.add(document["withdraws"])
        return found

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
        """Takes the lease; nothing when another was faster, or has prolonged its own. Returns the alert as it stands then."""
        until = now + LEASE
        fields: dict[str, Any] = {"state": AlertState.SENDING.value, "due_at": until}
        lease = alert.due_at if alert.state is AlertState.SENDING else None
        if not await self.change(alert, fields, lease=lease):
            return None
        return replace(alert, state=AlertState.SENDING, due_at=until, rev=alert.rev + 1)

    async def renew(self, alert: Alert, now: datetime) -> None:
        """Prolongs the lease, unless it has been lost."""
        with outages():
            await self._alerts.update_one({"_id": alert.id, "rev": alert.rev}, {"$set": {"due_at": now + LEASE}})

    async def note(self, alert: Alert, fields: dict[str, Any], now: datetime) -> bool:
        """Writes fields (`None` removes one) under the lease, and prolongs it; says whether it is still held."""
        noted = operators({**fields, "due_at": now + LEASE})
        with outages():
            result = await self._alerts.update_one({"_id": alert.id, "rev": alert.rev}, noted)
        return bool(result.matched_count)

    async def change(self, alert: Alert, fields: dict[str, Any], *, lease: datetime | None = None) -> bool:
        """Writes fields of an alert (`None` removes one) unless somebody has changed it since it was read; says which.

        `lease`: when its lease must end, not having been prolonged since.
        """
        return await self._change((alert, fields, lease))

    async def _write(self, asks: list[_Change]) -> list[bool]:
        marks = [secrets.token_hex(8) for _ in asks]
        operations = [update_of(*ask[:2], mark, ask[2]) for ask, mark in zip(asks, marks, strict=True)]
        outcome = await bulk_write(self._alerts, operations)
        if outcome.matched == len(asks):
            return [True] * len(asks)
        # A bulk write tells how many it met, not which: the marks do.
        with outages():
            found = self._alerts.find({"_id": {"$in": [alert.id for alert, _, _ in asks]}}, {"mark": 1})
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
        """Alerts that wait for this person, or for somebody at these units, are due now, and what was refused before is asked
        again; says whether there are any.
        """
        query = {"state": {"$in": WAITING_VALUES}}
        with outages():
            found = self._alerts.find(query, {"authority": 1, "sought": 1})
            meant = [document["_id"] async for document in found if seeks(document, authority, staff, scope)]
        return await self._wake({"_id": {"$in": meant}}, now, refusals=None) if meant else False

    async def _wake(self, query: dict[str, Any], now: datetime, **fields: Any) -> bool:
        waiting = {**query, "state": {"$in": WAITING_VALUES}}
        with outages():
            result = await self._alerts.update_many(waiting, operators({"due_at": now, "failures": 0, **fields}))
        return bool(result.modified_count)

    async def retry(self, which: Filter, now: datetime) -> int:
        """Makes alerts due at once that nobody may have been told of, whatever they wait for; says how many.

        One that counts as told although its mail is uncertain is handed over again, as often as one that may be out.
        """
        again: dict[str, Any] = {"state": AlertState.DUE.value, "due_at": now, "failures": 0}
        forgotten = dict.fromkeys(("refusals", "refused_since", "problem"))
        uncertain = {"handed_over.times": 1, "told": None, "sent_at": None}
        done = 0
        for states, fields in (((AlertState.DUE, *WAITING), {}), ((AlertState.UNCERTAIN,), uncertain)):
            query = {"$and": [which.query, Filter(states).query]}
            update = {**operators({**again, **forgotten, **fields}), "$inc": {"rev": 1}}
            with outages():
                done += (await self._alerts.update_many(query, update)).matched_count
        return done

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
        query = which.query
        if after is not None:
            query = {"$and": [query, {"_id": {"$gt": after}}]}
        with outages():
            found = self._alerts.find(query).sort("_id", ASCENDING).limit(limit)
            return [read_alert(document) async for document in found]
