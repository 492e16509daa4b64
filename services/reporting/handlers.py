"""What reporting does with each message.

Queue `reporting.risk`: `risk.scored.v1`, into the student's view; `group.signal_changed.v1`, into the signals of its group or
unit. Queue `reporting.events`: `enrolment.changed.v1`, into
the student's view; `climate.reported.v1`, into the climate of its group or unit. Nothing goes out. A message is settled
only when its effect is stored and the units it touches are marked for counting.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from services.reporting.store import NEW, Stored, StudentStore, UnitStore
from services.reporting.views import UnitKey, is_older_than_known, merge, units_touched
from shared import metrics
from shared.errors import Reject
from shared.events import (
    AnyEvent,
    ClimateReportedEvent,
    EnrolmentChangedEvent,
    GroupSignalChangedEvent,
    RiskScoredEvent,
)
from shared.waiting import through_outages

if TYPE_CHECKING:
    from services.reporting.climate import ClimateStore
    from services.reporting.clock import Clock
    from services.reporting.signals import SignalStore
    from services.reporting.views import StudentEvent, StudentView
    from shared.messaging.batching import Batcher, Outcomes

SERVICE = "reporting"
STUDENTS_TOGETHER = 100
"""Students who are read and written at once: about 1 MB each where they have as many places as count, with the longest codes."""


class StudentWriter:
    """Merges batches of events into student views."""

    def __init__(self, students: StudentStore, units: UnitStore, clock: Clock) -> None:
        self._students = students
        self._units = units
        self._clock = clock

    async def process(self, events: list[StudentEvent]) -> Outcomes:
        """Stores a batch; waits in place while the database is away. Safe to repeat, in any order, on any replica."""
        metrics.BATCH_SIZE.labels(SERVICE).observe(len(events))
        # Outside of the attempt: what a first attempt moved out of a unit must be counted there after the second, too, and
        # after a write whose outcome is unknown a student's own events would look older than known.
        touched: set[UnitKey] = set()
        older: dict[str, list[StudentEvent]] = {}
        await through_outages(lambda: self._store(events, touched, older), service=SERVICE)
        for event in chain.from_iterable(older.values()):
            metrics.OLDER_THAN_KNOWN.labels(SERVICE, event.authority, event.type).inc()
        return [None] * len(events)

    async def _store(
        self, events: list[StudentEvent], touched: set[UnitKey], older: dict[str, list[StudentEvent]]
    ) -> None:
        pending: dict[str, list[StudentEvent]] = defaultdict(list)
        for event in events:
            pending[event.subject].append(event)
        while pending:
            lost: set[str] = set()
            names = list(pending)
            for start in range(0, len(names), STUDENTS_TOGETHER):
                some = {name: pending[name] for name in names[start : start + STUDENTS_TOGETHER]}
                lost |= await self._merge(some, touched, older)
            metrics.CONFLICTS.labels(SERVICE).inc(len(lost))
            pending = {name: pending[name] for name in lost}
        await self._units.mark(touched)

    async def _merge(
        self, pending: dict[str, list[StudentEvent]], touched: set[UnitKey], older: dict[str, list[StudentEvent]]
    ) -> set[str]:
        stored = await self._students.read(pending)
        changed: dict[str, Stored] = {}
        for name, events in pending.items():
            before = stored.get(name)
            known = before.view if before else None
            merged, late = self._fold(known, events)
            older.setdefault(name, late)
            touched |= units_touched(known, events) | units_touched(merged, [])
            if merged is not None and merged is not known:
                changed[name] = Stored(merged, before.rev if before else NEW)
        return await self._students.write(changed, self._clock.day)

    def _fold(
        self, view: StudentView | None, events: list[StudentEvent]
    ) -> tuple[StudentView | None, list[StudentEvent]]:
        late: list[StudentEvent] = []
        for event in events:
            if is_older_than_known(view, event, self._clock.zone):
                late.append(event)
            view = merge(view, event, self._clock.zone)
        return view, late


class Handlers:
    """One function for each queue."""

    def __init__(self, batcher: Batcher[StudentEvent], climate: ClimateStore, signals: SignalStore) -> None:
        self._batcher = batcher
        self._climate = climate
        self._signals = signals

    async def risk(self, event: AnyEvent) -> None:
        """Queue `reporting.risk`."""
        match event:
            case RiskScoredEvent():
                await self._batcher.submit(event)
            case GroupSignalChangedEvent():
                await through_outages(lambda: self._signals.keep(event), service=SERVICE)
            case _:
                raise Reject(f"reporting.risk takes risk.scored and group.signal_changed only, not {event.type}")

    async def events(self, event: AnyEvent) -> None:
        """Queue `reporting.events`."""
        match event:
            case EnrolmentChangedEvent():
                await self._batcher.submit(event)
            case ClimateReportedEvent():
                await through_outages(lambda: self._climate.keep(event), service=SERVICE)
            case _:
                raise Reject(f"reporting.events takes enrolment.changed and climate.reported only, not {event.type}")
