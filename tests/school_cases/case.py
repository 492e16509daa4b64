"""What a case is, and the days and lessons that most of them are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from shared.events import AnyEvent
from tests.builders import attendance, pseudonym
from tests.oracle import Expected

MAJA = pseudonym("maja")
AUGUST = date(2026, 8, 17)
"""A Monday, the first day of most cases' term."""


@dataclass(frozen=True)
class Case:
    """Events of one student, and what was worked out by hand that she should end with.

    `expected.by_day` holds only those days that the case is about. `reading`: the text allows another value as well; what was
    taken for right.
    """

    id: str
    events: Sequence[AnyEvent]
    expected: Expected
    reading: str = ""


class Said(NamedTuple):
    """A change of level. `corrected`: the kinds of facts that are named by what takes an alert back; else empty."""

    before: str
    after: str
    corrected: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AlertCase:
    """Events of one student, some at a time, and what is said of her level when these have arrived."""

    id: str
    steps: Sequence[tuple[Sequence[AnyEvent], Sequence[Said]]]


def case(
    name: str,
    events: Sequence[AnyEvent],
    points: Mapping[str, int],
    *,
    as_of: date | None,
    level: str = "universal",
    by_day: Mapping[date, tuple[int, str]] | None = None,
    reading: str = "",
) -> Case:
    """A case whose score is the sum of its points, 100 at most."""
    score = min(100, sum(points.values()))
    wanted = Expected(score, level, points, as_of.isoformat() if as_of else None, by_day or {})
    return Case(name, events, wanted, reading)


def truant(day: date, minutes: int = 120, **more: object) -> AnyEvent:
    """One lesson missed without excuse: 120 minutes in 30 days are 4 points, 240 are 10, 480 are 16; alone nothing else."""
    return attendance(MAJA, day, **({"minutes": minutes, "unexcused": minutes, "hour": 8} | more))  # type: ignore[arg-type]


def ill(day: date, minutes: int = 60, **more: object) -> AnyEvent:
    """One lesson missed with excuse: below ten days it shows in the streak alone (3 days: 6, 5 days: 12)."""
    return attendance(MAJA, day, **({"minutes": minutes, "excused": minutes, "hour": 8} | more))  # type: ignore[arg-type]


def there(day: date, minutes: int = 60, **more: object) -> AnyEvent:
    """One lesson attended."""
    return attendance(MAJA, day, **({"minutes": minutes, "hour": 8} | more))  # type: ignore[arg-type]
