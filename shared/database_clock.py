"""The database's clock, which all replicas share: a time that one of them writes is compared by the others with the same clock.

With clocks of their own, minutes apart, one replica would take another's lease for run out while it is held, and begin a new
day before the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.background import Rounds
from shared.clock import utc_now
from shared.mongo import outages

if TYPE_CHECKING:
    from shared.mongo import Database

LOOK_SECONDS = 10.0
LONGEST_LOOK_SECONDS = 1.0
"""A look that takes longer says the time no better than the one before, counted on."""


class DatabaseClock:
    """Knows the database's time from the last look, and counts on from there without the wall clock. Exact to half a look's
    round trip. Until the first look it is `own`.

    On a replica set it is the clock of the primary, on a sharded cluster that of the router asked: keep those in step.
    """

    def __init__(self, database: Database, own: Callable[[], datetime] | None = None) -> None:
        self._database = database
        self._own = own or utc_now
        self._seen: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Now, in UTC."""
        if self._seen is None:
            return self._own()
        moment, at = self._seen
        return moment + timedelta(seconds=time.monotonic() - at)

    async def look(self) -> datetime:
        """Asks the database for its time, and returns it.

        Raises:
            Outage: the database is away; the time is counted on.
        """
        asked = time.monotonic()
        with outages():
            answer = await self._database.command("hello")
        heard = time.monotonic()
        if self._seen is None or heard - asked <= LONGEST_LOOK_SECONDS:
            self._seen = answer["localTime"].astimezone(UTC), (asked + heard) / 2
        return self.now()

    def rounds(self) -> Rounds:
        """Looks again and again: no two clocks run at quite the same pace, and the database's may be set."""
        return Rounds("looking at the database's clock", self.look, LOOK_SECONDS)
