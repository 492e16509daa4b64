"""What routes and pages ask for: views joined from the stores. Raises `Missing` for what is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.reporting.models import student_answer, summary
from services.reporting.unit_models import newest_registers, unit_answer, unit_details
from services.reporting.views import UnitKey
from shared.events import Level
from shared.events.places import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.reporting.climate import ClimateStore
    from services.reporting.clock import Clock
    from services.reporting.models import Student, StudentSummary
    from services.reporting.signals import SignalStore
    from services.reporting.store import StudentStore, UnitRecord, UnitStore
    from services.reporting.unit_models import Unit, UnitDetails

LEVELS: tuple[Level | None, ...] = (*Level, None)


class Missing(Exception):
    """There is nothing of that name."""


class Ambiguous(Exception):
    """Several authorities use the unit's code."""


@dataclass(frozen=True, slots=True)
class StudentPage:
    """Students in the order of need, and the cursor of the next page.

    `groups`: by pseudonym, those at the unit that was asked for, which need not be the student's own.
    """

    students: list[StudentSummary]
    next: str | None
    groups: dict[str, tuple[str, ...]]


class Reader:
    """The views as they are shown today."""

    def __init__(
        self, students: StudentStore, units: UnitStore, climate: ClimateStore, signals: SignalStore, clock: Clock
    ) -> None:
        self._students = students
        self._clock = clock
        self._units = units
        self._climate = climate
        self._signals = signals

    async def recount_due(self) -> bool:
        """Whether events are stored that no unit's numbers show yet. Asked before `units`, no is true of those.

        Raises:
            Outage: the database is away.
        """
        return bool(await self._units.marked())

    async def units(self) -> list[Unit]:
        """All units with students, the ones without a code last.

        Raises:
            Outage: the database is away.
        """
        records = await self._units.units()
        newest = newest_registers(records, self._clock.today)
        worse = await self._signals.worse(item.key for item in records)
        ordered = sorted(records, key=lambda item: (item.key.authority, not item.key.school_unit, item.key.school_unit))
        return [unit_answer(item, newest.get(item.key.authority), worse[item.key]) for item in ordered]

    async def unit(self, school_unit: str, authority: str | None) -> UnitDetails:
        """One unit with its climate and its signals, and those of its groups.

        Raises:
            Missing: no such unit.
            Ambiguous: several authorities use the code and none was given.
            Outage: the database is away.
        """
        record = await self._record(school_unit, authority)
        records = await self._units.units()
        newest = newest_registers(records, self._clock.today).get(record.key.authority)
        own = await self._units.own_groups(record)
        climate = await self._climate.latest(record.key, record.counts.groups, own)
        return unit_details(record, newest, climate, await self._signals.of(record.key))

    async def students(
        self,
        *,
        unit: UnitKey | None,
        levels: Iterable[Level | None] = LEVELS,
        stale: bool = False,
        presence: Presence = Presence.ACTIVE,
        limit: int,
        after: str | None,
    ) -> StudentPage:
        """A page of students, most at risk first. `stale`: only those of whom nothing is registered any more.

        Raises:
            Outage: the database is away.
        """
        views = await self._students.page(
            presence=presence, unit=unit, levels=levels, stale=stale, after=after or "", limit=limit + 1
        )
        more = views[limit - 1].order if len(views) > limit else None
        day, shown = self._clock.day, views[:limit]
        groups = {view.pseudonym: view.stays(day)[unit].groups for view in shown} if unit else {}
        return StudentPage([summary(view, day) for view in shown], more, groups)

    async def unit_key(self, school_unit: str, authority: str | None) -> UnitKey:
        """The unit of a code; see `unit` for errors."""
        return (await self._record(school_unit, authority)).key

    async def student(self, pseudonym: str) -> Student:
        """One student.

        Raises:
            Missing: nothing is known of such a student.
            Outage: the database is away.
        """
        stored = (await self._students.read([pseudonym])).get(pseudonym)
        if stored is None:
            raise Missing("no such student")
        return student_answer(stored.view, self._clock.day)

    async def _record(self, school_unit: str, authority: str | None) -> UnitRecord:
        found = [item for item in await self._units.find(school_unit) if authority in {None, item.key.authority}]
        if not found or not school_unit:
            raise Missing("no such school unit")
        if len(found) > 1:
            codes = ", ".join(item.key.authority for item in found)
            raise Ambiguous(f"several authorities use this code: add authority, one of {codes}")
        return found[0]
