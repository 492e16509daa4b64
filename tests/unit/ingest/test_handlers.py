"""The AMQP door's handler: a fault of ours stays with the message that brings it out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime

import pytest

from services.ingest.arrivals import Arrival, Door, Outcome, Turn
from services.ingest.handlers import SisHandler
from shared.errors import Outage
from tests.unit.ingest.builders import NOW


class Core:
    """Takes everything but `poison`; the first `outages` times it is away."""

    def __init__(self, outages: int = 0) -> None:
        self.taken: list[str] = []
        self.outages = outages

    async def receive(
        self, arrivals: Sequence[Arrival], *, door: Door, now: datetime, turn: Turn = nullcontext
    ) -> list[Outcome]:
        assert (door, now, turn) == (Door.AMQP, NOW, nullcontext)
        if self.outages:
            self.outages -= 1
            raise Outage("away")
        if any(arrival.text == b"poison" for arrival in arrivals):
            raise ZeroDivisionError
        self.taken += [arrival.text.decode() for arrival in arrivals]
        return []


def handler(core: Core) -> SisHandler:
    return SisHandler(core, lambda: NOW, max_size=10, max_wait=0)


def arrivals(*items: str) -> list[Arrival]:
    return [Arrival(item.encode(), frozenset({"2480"}), None) for item in items]


async def test_an_outage_is_waited_out() -> None:
    core = Core(outages=1)
    assert await handler(core)._process(arrivals("a", "b")) == [None, None]
    assert core.taken == ["a", "b"]


async def test_a_fault_of_ours_stays_with_one_message() -> None:
    core = Core()
    under_test = handler(core)
    async with under_test.batcher:
        sent = [under_test.event_published(arrival) for arrival in arrivals("a", "poison", "b")]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ZeroDivisionError, type(None)]
    assert core.taken == ["a", "b"]


async def test_a_message_waits_for_its_batch() -> None:
    core = Core()
    under_test = handler(core)
    async with under_test.batcher:
        [good] = arrivals("a")
        await under_test.event_published(good)
        [bad] = arrivals("poison")
        with pytest.raises(ZeroDivisionError):
            await under_test.event_published(bad)
    assert core.taken == ["a"]
