"""The database takes writes, but not those of a message: what it says of them decides what becomes of the message."""

from __future__ import annotations

import pytest

from shared.messaging import topology
from tests.integration.shared.small import SERVICE, Small, build, events, says
from tests.integration.shared.waiting import until
from tests.mongo_proxy import PLANTED, WRITES, Fault, failed, write_failed

pytestmark = pytest.mark.integration

EVENTS = events(20)
COLLECTION = "kept"


async def waiting_in(small: Small, queue: str) -> int:
    async with small.channel() as channel:
        return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count or 0


async def test_what_will_work_later_waits_in_place_and_readiness_says_so(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.waiting.WORTH_TELLING_SECONDS", 0.2)
    small.to_database.faults[:] = [Fault(write_failed(14031), WRITES, COLLECTION)]
    async with small.running(build(small.settings)) as http:
        await small.publish(EVENTS)
        await until(lambda: says(http, 503, "work has been waiting"), "the service to say that work waits")
        assert await says(http, 503, "OutOfDiskSpace (14031)")
        small.to_database.faults.clear()
        await until(small.holds(EVENTS), "all events to be kept")
        await until(lambda: says(http, 200, "ready"), "the service to be ready again")
    assert await small.parked() == 0


async def test_what_can_never_be_stored_is_parked_at_once_without_a_word_of_it(
    small: Small, caplog: pytest.LogCaptureFixture
) -> None:
    small.to_database.faults[:] = [Fault(write_failed(17419), WRITES, COLLECTION)]
    some = EVENTS[:4]
    async with small.running(build(small.settings)):
        await small.publish(some)

        async def parked() -> bool:
            return await small.parked() == len(some)

        await until(parked, "all events to be parked")
    async with small.channel() as channel:
        message = await (await channel.get_queue(topology.parking_queue(SERVICE))).get(no_ack=True)
    error, trace = str(message.headers["x-kvar-error"]), str(message.headers["x-kvar-traceback"])
    assert error == "Unstorable: the database: BulkWriteError, DocumentTooLargeAfterUpdate (17419)"
    assert "Traceback" in trace
    assert PLANTED not in error + trace + caplog.text
    assert message.headers["x-kvar-attempt"] == 0


async def test_what_fails_for_itself_alone_goes_down_the_ladder(small: Small) -> None:
    small.to_database.faults[:] = [Fault(failed(1), WRITES, COLLECTION)]
    some = EVENTS[:4]
    async with small.running(build(small.settings)) as http:
        await small.publish(some)

        async def on_the_ladder() -> bool:
            return await waiting_in(small, topology.retry_exchange(SERVICE, "5s")) == len(some)

        await until(on_the_ladder, "all events to wait on the ladder's first step")
        assert await says(http, 200, "ready")
