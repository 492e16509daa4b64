"""Batches: what goes together, what each item hears, and what stopping does."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from shared.messaging.batching import Batcher, Outcomes
from tests.unit.shared.arranged_time import in_arranged_time


class Recorder:
    """Keeps the batches; odd numbers below zero fail by themselves, and a gate can hold a batch up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def process(self, items: list[int]) -> Outcomes:
        self.batches.append(items)
        self.begun.set()
        await self.gate.wait()
        return [ValueError(str(item)) if item < 0 else None for item in items]


class Log:
    """When each batch began, in milliseconds; a batch takes 400."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, list[int]]] = []

    async def process(self, items: list[int]) -> Outcomes:
        self.begun.append((round(1000 * asyncio.get_running_loop().time()), items))
        await asyncio.sleep(0.4)
        return [None] * len(items)


@pytest.mark.parametrize(
    ("arrivals", "begun"),
    [
        pytest.param([0, 50], [(100, [0, 50])], id="the worker is free"),
        pytest.param([0, 250], [(100, [0]), (500, [250])], id="waited long enough while another batch was in work"),
        pytest.param([0, 250, 480], [(100, [0]), (500, [250, 480])], id="the oldest of two counts"),
        pytest.param(
            [0, 450, 520], [(100, [0]), (550, [450, 520])], id="waited in part while another batch was in work"
        ),
        pytest.param([0, 1, 2, 600], [(2, [0, 1, 2]), (700, [600])], id="full, then one alone"),
        pytest.param([0, 1, 2, 3], [(2, [0, 1, 2]), (402, [3])], id="full, and one left over"),
    ],
)
def test_a_batch_begins_when_its_oldest_item_has_waited(
    arrivals: list[int], begun: list[tuple[int, list[int]]]
) -> None:
    log = Log()

    async def scene() -> None:
        async with Batcher(log.process, max_size=3, max_wait=0.1) as batcher:

            async def arrive(at: int) -> None:
                await asyncio.sleep(at / 1000)
                await batcher.submit(at)

            await asyncio.gather(*map(arrive, arrivals))

    in_arranged_time(scene)
    assert log.begun == begun


async def test_items_that_come_together_go_together_up_to_the_limit() -> None:
    recorder = Recorder()
    async with Batcher(recorder.process, max_size=3, max_wait=0.05) as batcher:
        await asyncio.gather(*(batcher.submit(n) for n in range(7)))
    assert [len(batch) for batch in recorder.batches] == [3, 3, 1]
    assert [item for batch in recorder.batches for item in batch] == list(range(7))


async def test_what_arrives_during_a_batch_forms_the_next() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    async with Batcher(recorder.process, max_size=10, max_wait=0) as batcher:
        first = asyncio.create_task(batcher.submit(1))
        await recorder.begun.wait()
        rest = [asyncio.create_task(batcher.submit(n)) for n in (2, 3)]
        await asyncio.sleep(0)
        recorder.gate.set()
        await asyncio.gather(first, *rest)
    assert recorder.batches == [[1], [2, 3]]


async def test_an_item_hears_of_its_own_failure_only() -> None:
    recorder = Recorder()
    async with Batcher(recorder.process, max_size=3, max_wait=0.05) as batcher:
        heard = await asyncio.gather(*(batcher.submit(n) for n in (1, -2, 3)), return_exceptions=True)
    assert [type(each) for each in heard] == [type(None), ValueError, type(None)]


async def test_one_poisoned_item_fails_alone_and_the_next_batch_goes_on() -> None:
    handled: list[int] = []

    async def process(items: list[int]) -> Outcomes:
        if 3 in items:
            raise RuntimeError("cannot take 3")
        handled.extend(items)
        return [None] * len(items)

    async with Batcher(process, max_size=8, max_wait=0.05) as batcher:
        heard = await asyncio.gather(*(batcher.submit(n) for n in range(8)), return_exceptions=True)
        await batcher.submit(9)
    assert [n for n, each in enumerate(heard) if each is not None] == [3]
    assert str(heard[3]) == "cannot take 3"
    assert sorted(handled) == [0, 1, 2, 4, 5, 6, 7, 9]


async def test_stopping_cancels_what_waits_so_that_it_is_not_acknowledged() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    async with Batcher(recorder.process, max_size=1, max_wait=0) as batcher:
        waiting = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
        await recorder.begun.wait()
    for task in waiting:
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_after_an_end_with_items_waiting_it_starts_again() -> None:
    """As when the broker vanishes while a service starts."""
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.process, max_size=2, max_wait=0.01)
    async with batcher:
        cut_off = [asyncio.create_task(batcher.submit(n)) for n in range(6)]
        await recorder.begun.wait()
    await asyncio.gather(*cut_off, return_exceptions=True)
    recorder.gate.set()
    async with batcher, asyncio.timeout(10):
        await asyncio.sleep(0)  # the worker begins before anything arrives
        await batcher.submit(7)
    assert recorder.batches == [[0, 1], [7]]


async def test_what_its_submitter_has_given_up_is_not_worked_on() -> None:
    worked: list[list[int]] = []
    first_in_work, go_on = asyncio.Event(), asyncio.Event()

    async def process(items: list[int]) -> list[None]:
        worked.append(items)
        first_in_work.set()
        await go_on.wait()
        return [None] * len(items)

    async with Batcher[int](process, max_size=1, max_wait=0) as batcher:
        first = asyncio.create_task(batcher.submit(1))
        await first_in_work.wait()
        given_up, kept = asyncio.create_task(batcher.submit(2)), asyncio.create_task(batcher.submit(3))
        await asyncio.sleep(0)
        given_up.cancel()
        go_on.set()
        await asyncio.gather(first, kept)
    assert worked == [[1], [3]]


class Large:
    """Stands for the states that a batch has read."""


async def test_errors_of_items_keep_nothing_of_their_batch_and_a_failed_batch_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At once, without the garbage collector, which rarely runs in a service."""
    read: list[weakref.ref[Large]] = []
    most = 0

    async def process(items: list[int]) -> Outcomes:
        nonlocal most
        most = max(most, sum(reference() is not None for reference in read))
        states = [Large() for _ in items]
        read.extend(map(weakref.ref, states))
        await asyncio.sleep(0)
        raise ValueError(len(states))

    async with Batcher(process, max_size=64, max_wait=0.01) as batcher:
        errors = await asyncio.gather(*(batcher.submit(number) for number in range(64)), return_exceptions=True)
    assert [type(error) for error in errors] == [ValueError] * 64
    assert most == 0
    assert not any(reference() for reference in read)
    assert len(caplog.records) == 1
