"""Numbers of a school unit, counted from its students, and how fresh they are. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from shared.events import Level
from shared.events.places import MOST_GROUPS_OF_UNIT, Presence

STALE_WEEKDAYS = 2
"""A register is often taken on the next day; from the second weekday on somebody should ask why."""
_WORKING_DAYS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """What counting needs of a student at one unit, with the groups there. `level` is nothing while there are no data.

    `own`: the unit is where the student is, not that of a course beside it.
    """

    presence: Presence
    level: Level | None
    fresh_until: date | None
    groups: tuple[str, ...] = ()
    stale: bool = False
    own: bool = True


@dataclass(frozen=True, slots=True)
class UnitCounts:
    """Students of a unit. Levels, data, groups and freshness are those of active students; all others stand apart.

    `levels` and `without_data` together make `active`. `not_registered`: of whom nothing has been registered for as many school
    days of the unit as the authority's rules name. `fresh_until`: the newest school day with a taken register; those of guests
    count only where a unit has no students of its own, since they may have been taken at another.
    """

    active: int
    paused: int
    ended: int
    levels: dict[Level, int]
    without_data: int
    fresh_until: date | None
    groups: tuple[str, ...]
    not_registered: int = 0
    upcoming: int = 0

    @property
    def students(self) -> int:
        """All who are, were or will be there."""
        return self.active + self.paused + self.ended + self.upcoming

    def share(self, level: Level) -> float | None:
        """Share of the active students with data who are at the level, 0…1; nothing without data."""
        known = self.active - self.without_data
        return round(self.levels[level] / known, 4) if known else None


@dataclass(slots=True)
class Tally:
    """Counts a unit's students, one after the other."""

    _presences: Counter[Presence] = field(default_factory=Counter)
    _levels: Counter[Level | None] = field(default_factory=Counter)
    _stale: int = 0
    _own: int = 0
    _own_fresh_until: date | None = None
    _fresh_until: date | None = None
    _groups: set[str] = field(default_factory=set)

    def add(self, row: Row) -> None:
        """One more."""
        self._presences[row.presence] += 1
        if row.presence is not Presence.ACTIVE:
            return
        self._levels[row.level] += 1
        self._stale += row.stale
        self._fresh_until = _later(self._fresh_until, row.fresh_until)
        if row.own:
            self._own += 1
            self._own_fresh_until = _later(self._own_fresh_until, row.fresh_until)
        if len(self._groups) <= MOST_GROUPS_OF_UNIT:
            self._groups.update(row.groups)

    def counts(self) -> UnitCounts:
        """What all come to."""
        return UnitCounts(
            active=self._presences[Presence.ACTIVE],
            paused=self._presences[Presence.PAUSED],
            ended=self._presences[Presence.ENDED],
            upcoming=self._presences[Presence.UPCOMING],
            levels={level: self._levels[level] for level in Level},
            without_data=self._levels[None],
            fresh_until=self._own_fresh_until if self._own else self._fresh_until,
            groups=tuple(sorted(self._groups)) if len(self._groups) <= MOST_GROUPS_OF_UNIT else (),
            not_registered=self._stale,
        )


def _later(one: date | None, other: date | None) -> date | None:
    return max((day for day in (one, other) if day is not None), default=None)


def weekdays_between(earlier: date, later: date) -> int:
    """Mondays to Fridays after `earlier` up to and including `later`; 0 when `later` is not later."""
    days = (later - earlier).days
    if days <= 0:
        return 0
    weeks, rest = divmod(days, 7)
    odd = sum(1 for n in range(1, rest + 1) if (earlier + timedelta(n)).weekday() < _WORKING_DAYS)
    return weeks * _WORKING_DAYS + odd


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a unit's registers lag behind the newest register of its authority.

    Measured against the authority and not the clock: in a holiday nobody is late, and a unit that forgets stands out.
    `weekdays_behind` is nothing when the unit has no register at all.
    """

    fresh_until: date | None
    weekdays_behind: int | None

    @property
    def stale(self) -> bool:
        """Whether somebody should ask why."""
        return self.weekdays_behind is None or self.weekdays_behind >= STALE_WEEKDAYS


def freshness(fresh_until: date | None, newest: date | None) -> Freshness:
    """Compares a unit's newest register with the newest of its authority."""
    if fresh_until is None or newest is None:
        return Freshness(fresh_until, None)
    return Freshness(fresh_until, weekdays_between(fresh_until, newest))
