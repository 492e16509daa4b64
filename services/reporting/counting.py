"""Background work: units are counted again when marked, all of them now and then; the freshness gauge follows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.reporting import documents
from services.reporting.handlers import SERVICE
from services.reporting.units import Tally
from services.reporting.views import UnitKey
from shared import metrics
from shared.background import Rounds
from shared.skipping import Skipping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.reporting.clock import Clock
    from services.reporting.store import Mark, StudentStore, UnitRecord, UnitStore

COUNT_SECONDS = 1.0
GAUGE_SECONDS = 15.0
RECOUNT = timedelta(minutes=10)
"""Also a unit without a mark is counted this often: a crash between a write and its mark heals by itself."""
MOST_SHOWN = 500
"""School units of an authority that the freshness gauge shows. Their codes are the publisher's choice, and each is a series."""
DUTY = 0.2
"""Counting takes at most this share of the time: under a flood of events the database has better things to do."""


class UnitCounter:
    """Counts units from their students."""

    def __init__(self, students: StudentStore, units: UnitStore, clock: Clock) -> None:
        self._students = students
        self._units = units
        self._clock = clock
        self._recounted = clock.now()
        self._skipping = Skipping[UnitKey](SERVICE, "counting")

    def rounds(self) -> Rounds:
        """Counts what is marked, and now and then everything."""
        return Rounds("counting", self._round, COUNT_SECONDS, DUTY)

    async def _round(self) -> None:
        now = self._clock.now()
        await self.count_marked()
        if now - self._recounted > RECOUNT:
            await self.count_older_than(RECOUNT)
            self._recounted = now

    async def count_marked(self) -> None:
        """Counts marked units once; of an authority that has very many, some.

        Raises:
            Outage: the database is away.
        """
        await self._count_all(await self._units.marked())

    async def count_older_than(self, age: timedelta) -> None:
        """Counts units whose numbers are older; of an authority that has very many, some.

        Raises:
            Outage: the database is away.
        """
        await self._count_all(await self._units.counted_before(self._clock.now() - age))

    async def _count_all(self, marks: Sequence[Mark]) -> None:
        of_unit = {mark.unit: mark for mark in marks}
        await self._skipping.one_by_one(of_unit, lambda unit: self._count(of_unit[unit]))

    async def _count(self, mark: Mark) -> None:
        tally = Tally()
        async for row in self._students.rows_of(mark.unit):
            tally.add(documents.read_row(row, mark.unit))
        await self._units.write(mark, tally.counts(), self._clock.now())


class FreshnessGauge:
    """Keeps `kvar_unit_fresh_until_timestamp_seconds` at what the database says."""

    def __init__(self, units: UnitStore, clock: Clock) -> None:
        self._units = units
        self._clock = clock
        self._shown: set[tuple[str, str]] = set()

    def rounds(self) -> Rounds:
        """Refreshes the gauge."""
        return Rounds("freshness", self.refresh, GAUGE_SECONDS)

    async def refresh(self) -> None:
        """Sets one value for each unit that has a register: the start of that day; removes units that have none any more.

        Raises:
            Outage: the database is away.
        """
        units: dict[str, list[UnitRecord]] = defaultdict(list)
        for unit in await self._units.units():
            if unit.counts.fresh_until is not None and unit.key.school_unit:
                units[unit.key.authority].append(unit)
        shown = set()
        for authority, some in units.items():
            some.sort(key=lambda unit: (-unit.counts.students, unit.key.school_unit))
            for unit in some[:MOST_SHOWN]:
                shown.add(self._show(unit))
            metrics.UNITS_NOT_SHOWN.labels(authority).set(max(0, len(some) - MOST_SHOWN))
        for labels in self._shown - shown:
            metrics.FRESHNESS.remove(*labels)
        self._shown = shown

    def _show(self, unit: UnitRecord) -> tuple[str, str]:
        labels, day = (unit.key.authority, unit.key.school_unit), unit.counts.fresh_until
        if day is not None:
            moment = datetime(day.year, day.month, day.day, tzinfo=self._clock.zone)
            metrics.FRESHNESS.labels(*labels).set(moment.timestamp())
        return labels
