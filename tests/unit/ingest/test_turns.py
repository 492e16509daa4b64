"""Who is next: publisher by publisher, whatever one of them brings."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from services.ingest.turns import Turns


class Work:
    """Work that ends when it is told to; who began is seen in order."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.running: Counter[str] = Counter()
        self.end = asyncio.Semaphore(0)

    async def of(self, publisher: str) -> None:
        async with self.turns.turn(publisher):
            self.begun.append(publisher)
            self.running[publisher] += 1
            await self.end.acquire()
            self.running[publisher] -= 1

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_one_publisher_never_has_all() -> None:
    work = Work(Turns(4, 3))
    tasks = [asyncio.create_task(work.of("a")) for _ in range(8)]
    await work.settle()
    assert work.running == {"a": 3}
    other = asyncio.create_task(work.of("b"))
    await work.settle()
    assert work.running == {"a": 3, "b": 1}
    for _ in range(9):
        work.end.release()
    await asyncio.gather(*tasks, other)
    assert Counter(work.begun) == {"a": 8, "b": 1}


async def test_turns_go_round() -> None:
    work = Work(Turns(1, 1))
    tasks = [asyncio.create_task(work.of(who)) for who in "aaaabbbc"]
    await work.settle()
    for _ in tasks:
        work.end.release()
        await work.settle()
    await asyncio.gather(*tasks)
    assert "".join(work.begun) == "abcababa"


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    work = Work(Turns(1, 1))
    first, second, third = (asyncio.create_task(work.of(who)) for who in "aba")
    await work.settle()
    second.cancel()
    work.end.release()
    await work.settle()
    assert work.begun == ["a", "a"]
    work.end.release()
    await asyncio.gather(first, third)
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_who_is_cancelled_with_a_turn_in_hand_gives_it_back() -> None:
    turns = Turns(1, 1)
    work = Work(turns)
    async with turns.turn("a"):
        second = asyncio.create_task(work.of("b"))
        await work.settle()
    second.cancel()  # it does not know yet that its turn has come
    with pytest.raises(asyncio.CancelledError):
        await second
    work.end.release()
    await work.of("c")
    assert work.begun == ["c"]
