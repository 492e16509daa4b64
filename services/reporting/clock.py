"""What time and which day it is at the schools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Clock:
    """The time by `now` (with its offset from UTC), and the day that it is in the authority's `zone`."""

    zone: ZoneInfo
    now: Callable[[], datetime]

    @property
    def today(self) -> date:
        """The date at the schools."""
        return self.now().astimezone(self.zone).date()

    @property
    def day(self) -> int:
        """The same as a day number, as places count."""
        return self.today.toordinal()

    def local(self, moment: datetime) -> str:
        """A time as the schools' clocks show it."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")
