"""What an intake lets happen to a message. Through the whole consumer: tests/integration/shared/test_intake.py."""

from __future__ import annotations

import asyncio

import pytest

from shared.messaging.broker import with_heartbeat
from shared.messaging.intake import GivenBack, Intake


def test_the_budget_allows_its_number_in_a_row_and_then_none() -> None:
    intake = Intake("test", parking_budget=3)
    assert [intake.may_park() for _ in range(5)] == [True, True, True, False, False]
    assert "3 messages in a row were parked" in (intake.reason or "")


def test_a_success_starts_the_budget_anew() -> None:
    intake = Intake("test", parking_budget=2)
    for _ in range(10):
        assert intake.may_park()
        intake.succeeded()
    assert intake.reason is None


def test_what_could_not_be_parked_does_not_count() -> None:
    intake = Intake("test", parking_budget=2)
    for _ in range(10):
        assert intake.may_park()
        intake.not_parked()
    assert intake.reason is None


def test_without_a_budget_there_is_no_end() -> None:
    intake = Intake("test", parking_budget=0)
    assert all(intake.may_park() for _ in range(1000))


async def test_a_stopped_intake_begins_no_work() -> None:
    intake = Intake("test", parking_budget=1)
    intake.may_park()
    intake.may_park()
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
