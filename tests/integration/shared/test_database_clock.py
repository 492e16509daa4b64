"""The clock that replicas share, on a real database: nobody's own is heard, however wrong it is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import database_clock, mongo
from shared.database_clock import DatabaseClock

pytestmark = pytest.mark.integration

NEAR = timedelta(minutes=1)


@pytest.mark.parametrize("wrong_by", [timedelta(minutes=5), timedelta(minutes=-5), timedelta(days=400)])
async def test_a_wrong_clock_of_the_process_is_not_heard_after_the_first_look(
    mongo_url: str, module_database: str, wrong_by: timedelta
) -> None:
    database = mongo.connect(mongo_url, module_database, service="test")
    try:
        clock = DatabaseClock(database, lambda: datetime.now(UTC) + wrong_by)
        assert abs(clock.now() - datetime.now(UTC)) > NEAR
        looked = await clock.look()
        assert abs(looked - datetime.now(UTC)) < NEAR
        await asyncio.sleep(0.01)
        assert looked < clock.now() < looked + NEAR
        assert clock.now().tzinfo is UTC
    finally:
        database.client.close()


class Answering:
    """Stands for a database whose answers take their time."""

    def __init__(self, moment: datetime, seconds: float) -> None:
        self.moment, self.seconds = moment, seconds

    async def command(self, _name: str) -> dict[str, Any]:
        await asyncio.sleep(self.seconds)
        return {"localTime": self.moment}


async def test_a_look_that_took_long_is_believed_only_when_there_is_no_better_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_clock, "LONGEST_LOOK_SECONDS", 0.05)
    moment = datetime(2026, 11, 6, tzinfo=UTC)
    database: Any = Answering(moment, 0.1)
    clock = DatabaseClock(database)
    began = time.monotonic()
    assert moment < await clock.look() < moment + timedelta(seconds=time.monotonic() - began)
    database.moment = moment + timedelta(hours=1)
    assert await clock.look() < moment + timedelta(minutes=1)
    database.seconds = 0.0
    assert await clock.look() >= moment + timedelta(hours=1)
