"""What scoring keeps of a student, in memory; `documents` puts it into the database's form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from services.scoring.facts import Fact
from services.scoring.student import Student, Where
from shared.events import Level, Reason

STATE_FORMAT = 4
"""Of a student's stored state; one that an older Kvar wrote is made anew from the facts."""


class Basis(NamedTuple):
    """What a student's state was made by: none of the three ever goes back.

    `kept_from`: day number from which on lessons are kept. `rules`: version of the authority's rules.
    """

    kept_from: int = 0
    format: int = 0
    rules: int = 0

    def joined(self, other: Basis) -> Basis:
        """The newer of each."""
        return Basis(*map(max, self, other))

    def text(self) -> str:
        """In the order of `kept_from`, then `format`, then `rules`, so that the database can find what is older."""
        return f"{self.kept_from:07d}.{self.format:03d}.{self.rules:09d}"


class Unit(NamedTuple):
    """A school unit of an authority."""

    authority: str
    code: str

    @property
    def key(self) -> str:
        """Unique among all authorities."""
        return f"{self.authority}|{self.code}"

    @classmethod
    def of(cls, key: str) -> Unit | None:
        """The unit of a key; nothing for an empty one."""
        authority, _, code = key.partition("|")
        return cls(authority, code) if key else None


@dataclass(frozen=True, slots=True)
class Noted:
    """What the student's groups say of the student: nothing here changes points.

    `signals`: reasons without points, one for each group and indicator that worsens together. `stale_since`: the first
    (day number) of the unit's school days on which the student had no register.
    """

    signals: tuple[Reason, ...] = ()
    stale_since: int | None = None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A message that is written but not yet known to be published. `id` is the message's id."""

    id: str
    since: datetime
    key: str
    body: str


@dataclass(slots=True)
class StudentRecord:
    """A student's document. `rev` 0: not there yet. `alerts` counts level changes and withdrawals; `points` are those at the
    last of them. `said`: digest of what was last said of the student's risk. `where`: where the student was when that was said.
    """

    id: str
    authority: str
    rev: int = 0
    basis: Basis = field(default_factory=Basis)
    level: Level = Level.UNIVERSAL
    alerts: int = 0
    points: dict[str, int] = field(default_factory=dict)
    said: str = ""
    where: Where = field(default_factory=Where)
    noted: Noted = field(default_factory=Noted)
    outbox: list[OutboxEntry] = field(default_factory=list)
    state: Student = field(default_factory=Student)

    @property
    def unit(self) -> Unit | None:
        """The school unit of `where`."""
        code = self.where.school_unit
        return Unit(self.authority, code) if code is not None else None

    @property
    def stale_since(self) -> date | None:
        """As noted, unless a register has been taken since."""
        since = self.noted.stale_since
        return date.fromordinal(since) if since and self.state.fresh_until < since else None


@dataclass(frozen=True, slots=True)
class KeptFact:
    """A fact with the student it is about and when ingest received it. `under`: keyed hash of the reference it came under."""

    student: str
    fact: Fact
    recorded_time: datetime
    under: str | None = None
