"""Background work: students whose place begins or is over by today move to the lists where they stand from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.reporting.handlers import SERVICE
from shared import metrics
from shared.background import Rounds
from shared.skipping import Skipping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.reporting.clock import Clock
    from services.reporting.store import StudentStore, UnitStore
    from services.reporting.views import UnitKey

MOVE_SECONDS = 1.0
"""A look that finds nobody costs one query of an index."""
DUTY = 0.5
"""Moving takes at most this share of the time: when a term ends, most of a school is due at once."""
MOVED_TOGETHER = 500


class Mover:
    """Writes students anew whose stored lists no longer hold, and asks for a count of the units they leave and enter.

    Safe on any number of replicas: all may find the same students, and each student is written by the one that is first.
    """

    def __init__(self, students: StudentStore, units: UnitStore, clock: Clock) -> None:
        self._students = students
        self._units = units
        self._clock = clock
        self._left: set[UnitKey] = set()
        self._skipping = Skipping[str](SERVICE, "moving")

    def rounds(self) -> Rounds:
        """Moves who is due, soon after midnight."""
        return Rounds("moving", self.move_due, MOVE_SECONDS, DUTY)

    async def move_due(self) -> None:
        """Moves some of those who are due today; the rest are still due in the next round.

        Raises:
            Outage: the database is away or the outcome unknown: move again.
        """
        day = self._clock.day
        due = await self._students.due(day, MOVED_TOGETHER + len(self._skipping))
        await self._skipping.together(due, lambda some: self._move(some, day))
        await self._units.mark(self._left)
        self._left.clear()

    async def _move(self, some: Sequence[str], day: int) -> None:
        stored = await self._students.read_due(some, day)
        # Kept until marked: after an outage those who were written are due no more, and their units still to be counted.
        self._left.update(*(each.view.units for each in stored.values()))
        lost = await self._students.write(stored, day)
        metrics.CONFLICTS.labels(SERVICE).inc(len(lost))
