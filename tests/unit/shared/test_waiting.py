"""Waiting for outages: what readiness tells of it, how much is logged, and what becomes of an unclear error."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shared.errors import Outage, Reject, Retry, Unclear
from shared.waiting import LOG_SECONDS, WORTH_TELLING_SECONDS, Waits, report_to, through_outages
from tests.unit.shared.arranged_time import in_arranged_time


class Database:
    """Away until a time; `probe` asks it."""

    def __init__(self, until: float, error: Outage | None = None) -> None:
        self.until = until
        self.error = error or Outage("full")

    async def work(self) -> None:
        if asyncio.get_running_loop().time() < self.until:
            raise self.error

    async def probe(self) -> None:
        await self.work()


def test_readiness_tells_what_work_waits_for_and_for_how_long() -> None:
    database = Database(60.0)
    told: list[str | None] = []

    async def scene() -> None:
        waits = Waits(database.probe)
        report_to(waits)
        task = asyncio.create_task(through_outages(database.work, service="test"))
        for seconds in (WORTH_TELLING_SECONDS / 2, 20.0, 60.0):
            await asyncio.sleep(seconds)
            told.append(waits.reason())
        await task

    in_arranged_time(scene)
    assert told == [None, "work has been waiting for 22 s: full", None]


def test_work_that_is_given_up_is_not_waited_for() -> None:
    async def scene() -> None:
        waits = Waits(Database(60.0).probe)
        report_to(waits)
        task = asyncio.create_task(through_outages(Database(60.0).work, service="test"))
        await asyncio.sleep(20.0)
        task.cancel()
        await asyncio.wait([task])
        assert waits.reason() is None

    in_arranged_time(scene)


def test_hundreds_that_wait_for_the_same_are_told_of_by_one_line(caplog: pytest.LogCaptureFixture) -> None:
    seconds = 60.0

    async def scene() -> None:
        database = Database(seconds)
        report_to(Waits(database.probe))
        await asyncio.gather(*(through_outages(database.work, service="test") for _ in range(200)))

    with caplog.at_level(logging.WARNING):
        in_arranged_time(scene)
    assert 1 <= len(caplog.records) <= seconds / LOG_SECONDS + 1


def test_an_unclear_error_is_waited_out_while_the_database_does_not_work() -> None:
    async def scene() -> None:
        database = Database(60.0, Unclear("internal error"))
        report_to(Waits(database.probe))
        await through_outages(database.work, service="test")

    in_arranged_time(scene)


def test_an_unclear_error_of_one_operation_alone_is_its_own_fault() -> None:
    async def scene() -> None:
        report_to(Waits(Database(0.0).probe))
        with pytest.raises(Retry, match="internal error"):
            await through_outages(Database(60.0, Unclear("internal error")).work, service="test")
        assert asyncio.get_running_loop().time() == 0.0

    in_arranged_time(scene)


def test_other_errors_are_not_waited_for() -> None:
    async def bad() -> None:
        raise Reject("bad")

    async def scene() -> None:
        with pytest.raises(Reject):
            await through_outages(bad, service="test")

    in_arranged_time(scene)
