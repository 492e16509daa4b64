"""How events really arrive: repeated, delayed, in another order, and now and then broken."""

from __future__ import annotations

import hashlib
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

from deploy.demo.chance import Chance
from deploy.demo.school_calendar import local_time

if TYPE_CHECKING:
    from datetime import date

    from deploy.demo.events import Event, Source

# Of all events but staff and enrolments, which a source sends in order and before it speaks of their subjects:
REPEATED = 0.01
DELAYED = 0.01
SWAPPED = 0.02
FURTHEST_SWAP = 40


class Delivery:
    """Turns what was recorded on a day into what is published on it; call `on` once for each day, in order."""

    def __init__(self, seed: int, days: int) -> None:
        self._chance = Chance(seed, "delivery")
        self._days = days
        self._later: dict[int, list[Event]] = {}

    def on(self, day: int, ordered: list[Event], recorded: list[Event]) -> list[Event]:
        """First the `ordered` events as they are, then the `recorded` ones by time, disturbed.

        Exact repetitions come the same day or a few days later, delayed events one to three days later, all of them
        by the last day.
        """
        chance, published = self._chance, []
        for event in sorted(recorded, key=lambda e: (e["time"], e["id"])):
            repeated, delayed = chance.happens(REPEATED), chance.happens(DELAYED)
            due = min(day + chance.between(1, 3), self._days - 1)
            if delayed and due > day:
                self._later.setdefault(due, []).append(event)
            else:
                published.append(event)
            if repeated:
                self._later.setdefault(due, []).append(event)
        published += self._later.pop(day, ())
        return [*ordered, *self._swap(published)]

    def _swap(self, events: list[Event]) -> list[Event]:
        for place in range(len(events)):
            if self._chance.happens(SWAPPED):
                other = min(len(events) - 1, place + self._chance.between(1, FURTHEST_SWAP))
                events[place], events[other] = events[other], events[place]
        return events


FAULTS = (
    "no minutes",
    "absent for longer than the lesson",
    "no start",
    "revision in words",
    "unknown type",
    "three years old",
)
"""Faults of deliberately bad events, used in turn. Each obeys the contracts but for the one fault."""


def bad_event(source: Source, student: str, unit: str, day: date, number: int) -> Event:
    """An event that ingest must reject; `number` from 0 decides its fault and its id."""
    starts_at = local_time(day, time(8, 20))
    data: dict[str, Any] = {
        "lesson": f"fault-{number}",
        "school_unit": unit,
        "starts_at": starts_at.isoformat(),
        "minutes": 60,
        "state": "registered",
        "excused_minutes": 0,
        "unexcused_minutes": 0,
        "late": False,
    }
    event = source.event("attendance.recorded", student, starts_at + timedelta(hours=1), f"fault {number}", data)
    event["id"] = hashlib.sha256(f"{source.uri} fault {number} {day}".encode()).hexdigest()[:32]
    fault = FAULTS[number % len(FAULTS)]
    if fault == "no minutes":
        event["data"]["minutes"] = 0
    elif fault == "absent for longer than the lesson":
        event["data"]["unexcused_minutes"] = 61
    elif fault == "no start":
        del event["data"]["starts_at"]
    elif fault == "revision in words":
        event["data"]["revision"] = "newest"
    elif fault == "unknown type":
        event["type"] = "kvar.attendance.recorded.v9"
    else:
        event["data"]["starts_at"] = (starts_at - timedelta(days=3 * 365)).isoformat()
    return event
