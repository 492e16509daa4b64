"""Rounds of background work: what counts as work, and how long a round is rested from. Time is arranged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from shared.background import LONGEST_PAUSE_SECONDS, Rounds, background
from shared.errors import Outage
from shared.waiting import LONGEST_PAUSE_SECONDS as LONGEST_WAIT
from shared.waiting import through_outages
from tests.unit.shared.arranged_time import in_arranged_time

WORK_SECONDS = 2.0
SHARE = 0.2


class Work:
    """Notes when a round begins and ends; the first one meets a database that is away for so many seconds."""

    def __init__(self, away_seconds: float = 0.0, *, inside: bool = False) -> None:
        self.away_seconds = away_seconds
        self.inside = inside
        self.begun: list[float] = []
        self.ended: list[float] = []

    async def __call__(self) -> None:
        if self.inside:
            await through_outages(self._round, service="test")
        else:
            await self._round()

    async def _round(self) -> None:
        now = asyncio.get_running_loop().time
        if now() < self.away_seconds:
            await asyncio.sleep(1.0)
            raise Outage("away")
        self.begun.append(now())
        await asyncio.sleep(WORK_SECONDS)
        self.ended.append(now())

    def pauses(self) -> list[float]:
        return [begun - ended for ended, begun in zip(self.ended, self.begun[1:], strict=False)]


def pauses_of(work: Work, seconds: float) -> list[float]:
    async def scene() -> None:
        async with background("test", Rounds("work", work, 1.0, SHARE)):
            await asyncio.sleep(seconds)

    in_arranged_time(scene)
    return work.pauses()


@pytest.mark.parametrize("inside", [False, True], ids=["the round waits", "something in the round waits"])
def test_waiting_for_an_outage_to_end_is_no_work(inside: bool) -> None:
    outage = 3600.0
    work = Work(outage, inside=inside)
    pauses = pauses_of(work, outage + 100)
    assert work.begun[0] - outage < 1.0 + 1.5 * LONGEST_WAIT
    assert len(pauses) >= 5
    assert pauses == pytest.approx([WORK_SECONDS / SHARE - WORK_SECONDS] * len(pauses))


def test_a_round_that_hung_is_not_rested_from_for_long() -> None:
    rounds = Rounds("work", Work(), 1.0, SHARE)
    assert rounds.pause_after(3600.0) == LONGEST_PAUSE_SECONDS
    assert rounds.pause_after(5.0) == pytest.approx(20.0)
    assert rounds.pause_after(0.0) == 1.0
    assert Rounds("rare", Work(), 600.0).pause_after(3600.0) == 600.0


def test_several_that_wait_side_by_side_do_not_count_twice() -> None:
    async def one() -> None:
        if asyncio.get_running_loop().time() < 10.0:
            raise Outage("away")
        await asyncio.sleep(WORK_SECONDS)

    work = _side_by_side([one] * 5)
    pauses = pauses_of(work, 100.0)
    assert len(pauses) >= 3
    assert all(pause <= WORK_SECONDS / SHARE - WORK_SECONDS + 1e-6 for pause in pauses)
    assert pauses[1:] == pytest.approx([WORK_SECONDS / SHARE - WORK_SECONDS] * (len(pauses) - 1))


def _side_by_side(parts: Sequence[Callable[[], Awaitable[None]]]) -> Work:
    class Several(Work):
        async def _round(self) -> None:
            self.begun.append(asyncio.get_running_loop().time())
            await asyncio.gather(*(through_outages(part, service="test") for part in parts))
            self.ended.append(asyncio.get_running_loop().time())

    return Several()
