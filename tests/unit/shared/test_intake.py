"""What an intake lets happen to a message. Through the whole consumer: tests/integration/shared/test_intake.py."""

from __future__ import annotations

import asyncio

import pytest

from shared.messaging.broker import with_heartbeat
from shared.messaging.intake import GivenBack, Intake


async def test_a_stopped_intake_begins_no_work() -> None:
    intake = Intake("test")
    intake.reason = "waiting for an outage to end"
    with pytest.raises(GivenBack), intake.holding():
        pytest.fail("the work was begun")


async def test_the_cancelling_of_somebody_else_stays_what_it_is() -> None:
    intake = Intake("test")
    begun = asyncio.Event()

    async def work() -> None:
        with intake.holding():
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("amqp://guest:guest@h:5672/", "amqp://guest:guest@h:5672/?heartbeat=10"),
        ("amqp://guest:guest@h:5672/v?name=x", "amqp://guest:guest@h:5672/v?name=x&heartbeat=10"),
        ("amqp://guest:guest@h:5672/v?heartbeat=30", "amqp://guest:guest@h:5672/v?heartbeat=30"),
        ("amqps://u:p%40ss%2Fword@h/%2Fv", "amqps://u:p%40ss%2Fword@h/%2Fv?heartbeat=10"),
    ],
    ids=["none", "another option", "its own", "escaped"],
)
def test_a_heartbeat_is_added_to_an_address_without(given: str, used: str) -> None:
    assert with_heartbeat(given) == used
