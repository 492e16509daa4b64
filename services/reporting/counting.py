"""Background work: units are counted again when marked, all of them now and then; the freshness gauge follows."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.reporting import documents
from services.reporting.units import Tally
from shared import metrics
from shared.background import Rounds
from shared.errors import Outage

if TYPE_CHECKING:
    from services.reporting.clock import Clock
    from services.reporting.store import Mark, StudentStore, UnitStore

logger = logging.getLogger(__name__)

COUNT_SECONDS = 1.0
GAUGE_SECONDS = 15.0
RECOUNT = timedelta(minutes=10)
"""Also a unit without a mark is counted this often: a crash between a write and its mark heals by itself."""
DUTY = 0.2
"""Counting takes at most this share of the time: under a flood of events the database has better things to do."""


class UnitCounter:
    """Counts units from their students."""

    def __init__(self, students: StudentStore, units: UnitStore, clock: Clock) -> None:
        self._students = students
        self._units = units
        self._clock = clock
        self._recounted = clock.now()

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
        for mark in await self._units.marked():
            await self._count_apart(mark)

    async def count_older_than(self, age: timedelta) -> None:
        """Counts units whose numbers are older; of an authority that has very many, some.

        Raises:
            Outage: the database is away.
        """
        for mark in await self._units.counted_before(self._clock.now() - age):
            await self._count_apart(mark)

    async def _count(self, mark: Mark) -> None:
        tally = Tally()
        async for row in self._students.rows_of(mark.unit):
            tally.add(documents.read_row(row, mark.unit))
        await self._units.write(mark, tally.counts(), self._clock.now())

    async def _count_apart(self, mark: Mark) -> None:
        """A unit that cannot be counted stays marked and hinders no other."""
        try:
            await self._count(mark)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - what it says may hold what is stored
            logger.error("a unit was not counted", extra={"unit": str(mark.unit), "error": type(error).__name__})  # noqa: TRY400


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
        shown = set()
        for unit in await self._units.units():
            day = unit.counts.fresh_until
            if day is None or not unit.key.school_unit:
                continue
            labels = (unit.key.authority, unit.key.school_unit)
            moment = datetime(day.year, day.month, day.day, tzinfo=self._clock.zone)
            metrics.FRESHNESS.labels(*labels).set(moment.timestamp())
            shown.add(labels)
        for labels in self._shown - shown:
            metrics.FRESHNESS.remove(*labels)
        self._shown = shown
