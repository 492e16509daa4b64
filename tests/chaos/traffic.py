"""What publishers send during a run, all of it drawn from one seed: an invented school whose registers are often wrong.

Much more is corrected, repeated, retracted and late than in any real school, since that is where a mistake would show:
corrections that come before what they correct, two versions with the same revision, retractions of what is weeks old.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from deploy.demo.delivery import bad_event
from deploy.demo.events import Event, Source
from deploy.demo.school_calendar import TIME_ZONE
from tests.chaos.school import School, make_student

AUTHORITY = "2480"
MOST_IN_BATCH = 60
BAD_SHARE = 0.002
POISON_SHARE = 0.001
AMQP_SHARE = 0.3
BURSTS = 12
LAST_SHARE = 0.4
"""Of the time."""
POISONS = ("not JSON", "not stamped", "unknown type")


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that nobody can read, put straight into exchange `events`. `shard_seed` decides where."""

    id: str
    kind: str
    shard_seed: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is published together, through one door of ingest. `at`: when, as a share of the run's time."""

    events: list[Event]
    over_amqp: bool
    at: float = 0.0
    poison: tuple[Poison, ...] = ()


@dataclass(slots=True)
class Traffic:
    """A whole run's: `first` must be in before the rest, as a source that speaks of nobody unknown sends it."""

    source: Source
    first: list[Event] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    good: list[Event] = field(default_factory=list)
    bad_ids: set[str] = field(default_factory=set)

    @property
    def poison(self) -> list[Poison]:
        return [poison for parcel in self.parcels for poison in parcel.poison]

    @property
    def total(self) -> int:
        return len(self.first) + sum(len(parcel.events) for parcel in self.parcels)


def make_traffic(seed: int, students: int, days: int, today: date) -> Traffic:
    """The traffic of a run. `days`: school days until the day before `today`, 200 at most (ingest takes a year's facts)."""
    chance = random.Random(seed)
    traffic = Traffic(Source(AUTHORITY, f"chaos-{seed}"))
    pupils = [make_student(chance, number, days) for number in range(students)]
    school = School(traffic.source, chance, pupils, _weekdays(today, days))
    traffic.first = [*school.staff(), *school.enrolments()]
    stream = list(school.term())
    bad = _bad(traffic.source, chance, school, int(len(stream) * BAD_SHARE) + 2)
    traffic.bad_ids = {event["id"] for event in bad}
    unique = {event["id"]: event for event in [*traffic.first, *stream, *school.last_words]}
    traffic.good = list(unique.values())
    for event in bad:
        stream.insert(chance.randrange(len(stream)), event)
    traffic.parcels = [*_bursts(chance, stream), *_last_words(chance, school.last_words)]
    return traffic


def _weekdays(today: date, count: int) -> list[date]:
    days = [today - timedelta(days=back) for back in range(1, 2 * count + 7)]
    return sorted(day for day in days if day.weekday() < 5)[-count:]


def _bad(source: Source, chance: random.Random, school: School, count: int) -> list[Event]:
    return [
        bad_event(source, school.students[0].register, school.students[0].unit, chance.choice(school.days), number)
        for number in range(count)
    ]


def _bursts(chance: random.Random, stream: list[Event]) -> Iterator[Parcel]:
    """Registers come in bursts, when lessons end."""
    start = poisons = 0
    while start < len(stream):
        size = chance.randint(1, MOST_IN_BATCH)
        events = stream[start : start + size]
        poison = []
        if poisons < len(POISONS) or chance.random() < POISON_SHARE * size:
            kind = POISONS[poisons % len(POISONS)]
            poison.append(Poison(f"poison-{poisons}", kind, chance.randrange(1000)))
            poisons += 1
        burst = int(BURSTS * start / len(stream)) / BURSTS
        yield Parcel(events, chance.random() < AMQP_SHARE, burst * (1 - LAST_SHARE), tuple(poison))
        start += size


def _last_words(chance: random.Random, events: list[Event]) -> Iterator[Parcel]:
    """One by one in the silence at the end. What is delivered again then comes alone, a batch in which nothing is new; and no
    later event of the student pushes out what was stranded. That is where a mistake about repetitions shows.
    """
    for number, event in enumerate(events):
        at = 1 - LAST_SHARE + LAST_SHARE * number / len(events)
        yield Parcel([event], chance.random() < AMQP_SHARE, at)


def school_today() -> date:
    """The day before which all lessons lie: ingest's limits follow the wall clock."""
    return datetime.now(TIME_ZONE).date()
