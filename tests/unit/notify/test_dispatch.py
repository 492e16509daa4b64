"""Who works on whose alerts when: everything named is done, nothing twice at a time, nothing cut off."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from services.notify import dispatch
from services.notify.dispatch import Dispatcher
from shared.errors import Outage


async def nothing_due(_limit: int) -> list[str]:
    return []


async def reached(counts: Counter[str], student: str, times: int) -> None:
    async with asyncio.timeout(5):
        while counts[student] < times:  # noqa: ASYNC110 - a count has no event
            await asyncio.sleep(0.001)


async def test_a_student_named_during_their_own_delivery_is_delivered_again_but_not_at_the_same_time() -> None:
    done, now, together = Counter[str](), Counter[str](), Counter[str]()
    go_on = asyncio.Event()

    async def deliver(student: str) -> None:
        now[student] += 1
        together[student] = max(together[student], now[student])
        await go_on.wait()
        now[student] -= 1
        done[student] += 1

    async with Dispatcher(deliver, nothing_due) as dispatcher:
        dispatcher.wake("a")
        await reached(now, "a", 1)
        dispatcher.wake("a")
        dispatcher.wake("b")
        await reached(now, "b", 1)
        go_on.set()
        await reached(done, "a", 2)
    assert together == {"a": 1, "b": 1}


async def test_the_sweep_finds_what_nobody_named() -> None:
    done = Counter[str]()

    async def deliver(student: str) -> None:
        done[student] += 1

    async def due(_limit: int) -> list[str]:
        return [] if done["left behind"] else ["left behind"]

    async with Dispatcher(deliver, due, sweep_seconds=0.01):
        await reached(done, "left behind", 1)


async def test_a_nudge_sweeps_at_once() -> None:
    done = Counter[str]()
    stored: list[str] = []

    async def deliver(student: str) -> None:
        done[student] += 1

    async def due(_limit: int) -> list[str]:
        return stored

    async with Dispatcher(deliver, due, sweep_seconds=3600) as dispatcher:
        dispatcher.wake("first")
        await reached(done, "first", 1)
        stored.append("second")
        dispatcher.sweep_soon()
        await reached(done, "second", 1)


@pytest.mark.parametrize("error", [Outage("the database"), ValueError("Märta Sjöström")], ids=["outage", "fault"])
async def test_a_failure_ends_neither_workers_nor_sweep_and_tells_no_name(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    done = Counter[str]()

    async def deliver(student: str) -> None:
        done[student] += 1
        if student.startswith("bad"):
            raise error

    async def due(_limit: int) -> list[str]:
        done["sweeps"] += 1
        raise error

    async with Dispatcher(deliver, due, sweep_seconds=0.01) as dispatcher:
        for number in range(2 * dispatch.WORKERS):
            dispatcher.wake(f"bad {number}")
        dispatcher.wake("good")
        await reached(done, "good", 1)
        await reached(done, "sweeps", 3)
    assert caplog.records
    assert not [record for record in caplog.records if "Märta" in str(vars(record))]


async def test_the_sweep_comes_to_those_behind_students_who_always_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "SWEEP_LIMIT", 3)
    done = Counter[str]()
    bad = [f"bad {number}" for number in range(10)]

    async def deliver(student: str) -> None:
        done[student] += 1
        if student.startswith("bad"):
            raise KeyError(student)

    async def due(limit: int) -> list[str]:
        return [*bad, "good"][:limit]

    async with Dispatcher(deliver, due, sweep_seconds=0.01) as dispatcher:
        await reached(done, "good", 3)
        assert {done[student] for student in bad} == {1}
        dispatcher.wake("bad 0")
        await reached(done, "bad 0", 2)


async def test_a_stop_lets_the_delivery_in_work_finish() -> None:
    begun, finished = asyncio.Event(), asyncio.Event()

    async def deliver(_student: str) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        finished.set()

    async with Dispatcher(deliver, nothing_due) as dispatcher:
        dispatcher.wake("a")
        await begun.wait()
    assert finished.is_set()


async def test_more_than_the_queue_holds_is_left_to_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "QUEUE_LIMIT", 2)
    dispatcher = Dispatcher(lambda _student: asyncio.sleep(0), nothing_due)
    for student in ("a", "b", "c", "a"):
        dispatcher.wake(student)
    assert dispatcher._queue.qsize() == 2
