"""What each kind of trouble of the database means to us, told by a proxy at the wire before a real one."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from deploy.local.ports import free_ports
from shared import mongo
from shared.error_text import traced
from shared.errors import KvarError, Outage, Retry, Unclear, Unstorable
from shared.waiting import Waits, report_to, through_outages
from tests.mongo_proxy import EVERYTHING, PLANTED, WRITES, Fault, MongoProxy, concern_failed, failed, write_failed

pytestmark = pytest.mark.integration

Call = Callable[["mongo.Collection"], Awaitable[object]]


@pytest.fixture(scope="module")
async def proxied(mongo_url: str) -> AsyncIterator[tuple[MongoProxy, mongo.Collection]]:
    address = urlsplit(mongo_url)
    [port] = free_ports(1)
    proxy = MongoProxy(port, address.hostname or "", address.port or 0)
    await proxy.up()
    database = mongo.connect(proxy.url(mongo_url), f"test_{secrets.token_hex(6)}", service="test")
    await database["things"].insert_many([{"_id": number} for number in range(5)])
    yield proxy, database["things"]
    await asyncio.to_thread(database.client.close)  # its goodbye goes through the proxy, which is in this loop
    await proxy.down()


@pytest.fixture
async def sick(proxied: tuple[MongoProxy, mongo.Collection]) -> AsyncIterator[tuple[MongoProxy, mongo.Collection]]:
    yield proxied
    proxied[0].faults.clear()


async def one_write(things: mongo.Collection) -> None:
    with mongo.outages():
        await things.update_one({"_id": 1}, {"$set": {"x": 1}})


async def many_writes(things: mongo.Collection) -> None:
    await mongo.bulk_write(things, [mongo.UpdateOne({"_id": number}, {"$set": {"x": 1}}) for number in range(3)])


async def deleting(things: mongo.Collection) -> None:
    with mongo.outages():
        await things.delete_many({"_id": "nowhere"})


async def reading_one(things: mongo.Collection) -> None:
    with mongo.outages():
        await things.find_one({"_id": 1})


async def reading_many(things: mongo.Collection) -> None:
    with mongo.outages():
        assert len([found async for found in things.find({}, batch_size=2)]) == 5


async def counting(things: mongo.Collection) -> None:
    with mongo.outages():
        await things.count_documents({})


async def indexing(things: mongo.Collection) -> None:
    await mongo.ensure_indexes(things, [mongo.IndexModel("x")])


def database_of(things: mongo.Collection) -> mongo.Database:
    return cast("mongo.Database", things.database)


async def caught(call: Awaitable[object]) -> KvarError:
    with pytest.raises(KvarError) as info:
        await call
    return info.value


CALLS = [one_write, many_writes, deleting, reading_one, reading_many, counting, indexing]
OUTAGES = {
    "unreachable": 6,
    "not primary": 10107,
    "primary stepped down": 189,
    "interrupted at shutdown": 11600,
    "node is recovering": 13436,
    "too slow": 50,
    "time limit of the server": 262,
    "out of locks": 24,
    "too many locks": 208,
    "majority not available": 134,
    "write concern": 64,
    "full": 14031,
    "read-only": 371,
    "out of files": 264,
    "no access": 13,
    "authentication": 18,
    "write conflict": 112,
    "overloaded": 462,
}
UNSTORABLE = {"bad value": 2, "too large": 10334, "too large after update": 17419, "key too long": 17280}
UNCLEAR = {"storage engine": 1, "unknown error": 8, "a code that nobody knows": 424242}


@pytest.mark.parametrize("code", OUTAGES.values(), ids=OUTAGES)
async def test_trouble_of_the_database_is_an_outage_wherever_it_is_met(
    sick: tuple[MongoProxy, mongo.Collection], code: int
) -> None:
    proxy, things = sick
    proxy.faults[:] = [Fault(failed(code))]
    # After being told that there is another primary the driver looks for it before each call, half a second at least.
    for call in CALLS if code not in (189, 10107, 11600, 13436) else CALLS[1::2]:
        error = await caught(call(things))
        assert type(error) is Outage, (call.__name__, error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *(pytest.param(code, Unstorable, id=name) for name, code in UNSTORABLE.items()),
        *(pytest.param(code, Unclear, id=name) for name, code in UNCLEAR.items()),
    ],
)
async def test_other_errors_are_told_apart_wherever_they_are_met(
    sick: tuple[MongoProxy, mongo.Collection], code: int, kind: type[KvarError]
) -> None:
    proxy, things = sick
    proxy.faults[:] = [Fault(failed(code))]
    for call in CALLS:
        error = await caught(call(things))
        assert type(error) is kind, (call.__name__, error)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(write_failed(14031), Outage, id="full"),
        pytest.param(write_failed(10107), Outage, id="not primary"),
        pytest.param(write_failed(17419), Unstorable, id="too large"),
        pytest.param(write_failed(1), Unclear, id="storage engine"),
        pytest.param(concern_failed(64), Outage, id="write concern"),
        pytest.param(concern_failed(91), Outage, id="shut down while it replicates"),
        pytest.param(concern_failed(424242), Outage, id="a write concern that nobody knows"),
        pytest.param(failed(424242, ["RetryableWriteError"]), Outage, id="a label of retryable writes"),
        pytest.param(failed(424242, ["TransientTransactionError"]), Outage, id="a label of transactions"),
        pytest.param(failed(462, ["SystemOverloadedError"]), Outage, id="a label of overload"),
    ],
)
@pytest.mark.parametrize("call", [one_write, many_writes])
async def test_writes_that_fail_one_by_one(
    sick: tuple[MongoProxy, mongo.Collection], answer: dict[str, Any], kind: type[KvarError], call: Call
) -> None:
    proxy, things = sick
    proxy.faults[:] = [Fault(answer, WRITES)]
    error = await caught(call(things))
    assert type(error) is kind, error


async def test_a_cursor_that_is_lost_between_two_batches_is_read_again(
    sick: tuple[MongoProxy, mongo.Collection],
) -> None:
    proxy, things = sick
    for code in (43, 175, 237, 262):
        proxy.faults[:] = [Fault(failed(code), frozenset({"getMore"}))]
        assert type(await caught(reading_many(things))) is Outage


async def test_a_write_that_was_done_although_the_answer_says_no_is_an_outage(
    sick: tuple[MongoProxy, mongo.Collection],
) -> None:
    proxy, things = sick
    proxy.faults[:] = [Fault(concern_failed(64), WRITES, is_done=True)]
    assert type(await caught(mongo.bulk_write(things, [mongo.InsertOne({"_id": "done"})]))) is Outage
    proxy.faults.clear()
    assert (await mongo.bulk_write(things, [mongo.InsertOne({"_id": "done"})])).duplicates == {0}
    with mongo.outages():
        await things.delete_one({"_id": "done"})


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"_id": "large", "x": "x" * (17 << 20)}, id="too large"),
        pytest.param({"_id": "number", "x": 2**63}, id="a number of more than 64 bits"),
        pytest.param({"_id": "text", "x": "\ud800"}, id="half a character"),
        pytest.param({"_id": "object", "x": object()}, id="no form in BSON"),
        pytest.param({"_id": "key", 1: "x"}, id="a key that is no text"),
    ],
)
async def test_what_cannot_be_stored_is_said_to_be_so(
    sick: tuple[MongoProxy, mongo.Collection], document: dict[str, Any]
) -> None:
    _, things = sick
    assert isinstance(await caught(mongo.bulk_write(things, [mongo.InsertOne(document)])), Unstorable)

    async def insert() -> None:
        with mongo.outages():
            await things.insert_one(document)

    assert isinstance(await caught(insert()), Unstorable)


async def test_an_update_that_would_make_a_document_too_large_is_unstorable(
    sick: tuple[MongoProxy, mongo.Collection],
) -> None:
    """As the database itself says it."""
    _, things = sick
    half = "x" * (9 << 20)
    await mongo.bulk_write(things, [mongo.InsertOne({"_id": "grows", "a": half})])
    error = await caught(mongo.bulk_write(things, [mongo.UpdateOne({"_id": "grows"}, {"$set": {"b": half}})]))
    assert isinstance(error, Unstorable)
    assert len(traced(error)) < 8_001
    with mongo.outages():
        await things.delete_one({"_id": "grows"})


async def test_a_duplicate_key_is_an_outcome_beside_other_failures_an_error(
    sick: tuple[MongoProxy, mongo.Collection],
) -> None:
    proxy, things = sick
    known = [mongo.InsertOne({"_id": number}) for number in range(2)]
    assert (await mongo.bulk_write(things, known)).duplicates == {0, 1}
    both = write_failed(11000)
    both["writeErrors"].append({"index": 1, "code": 14031, "errmsg": PLANTED})
    proxy.faults[:] = [Fault(both, WRITES)]
    assert type(await caught(mongo.bulk_write(things, known))) is Outage


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (failed(14031), "the database: OperationFailure, OutOfDiskSpace (14031)"),
        (failed(10107), "the database: NotPrimaryError, NotWritablePrimary (10107)"),
        (failed(424242), "the database: OperationFailure: Planted (424242)"),
        (write_failed(17419), "the database: BulkWriteError, DocumentTooLargeAfterUpdate (17419)"),
        (write_failed(424242), "the database: BulkWriteError: (65)"),
    ],
    ids=["full", "not primary", "unknown", "too large", "unknown, of one write"],
)
async def test_errors_say_what_the_server_calls_them(
    sick: tuple[MongoProxy, mongo.Collection], answer: dict[str, Any], text: str
) -> None:
    proxy, things = sick
    proxy.faults[:] = [Fault(answer, WRITES)]
    assert str(await caught(many_writes(things))) == text


async def test_errors_hold_nothing_of_what_was_written(
    sick: tuple[MongoProxy, mongo.Collection], caplog: pytest.LogCaptureFixture
) -> None:
    proxy, things = sick
    caplog.set_level(logging.DEBUG, logger="shared")
    for answer in (failed(14031), failed(2), failed(1), write_failed(14031), concern_failed(64), failed(189)):
        proxy.faults[:] = [Fault(answer, WRITES)]
        for call in (one_write, many_writes):
            error = await caught(call(things))
            assert error.__context__ is None
            assert error.__cause__ is None
            assert PLANTED not in traced(error)
    error = await caught(mongo.bulk_write(things, [mongo.InsertOne({"_id": 1, "name": PLANTED, "x": 2**63})]))
    assert PLANTED not in traced(error)
    assert PLANTED not in caplog.text


async def test_an_unclear_error_is_an_outage_while_nothing_can_be_written_and_else_the_messages_fault(
    sick: tuple[MongoProxy, mongo.Collection],
) -> None:
    proxy, things = sick
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            proxy.faults[:] = [Fault(failed(1), frozenset({"update"}), collection="things")]
        await one_write(things)

    report_to(Waits(lambda: mongo.writable(database_of(things), "test")))
    proxy.faults[:] = [Fault(failed(1), EVERYTHING)]
    with pytest.raises(Retry):
        await through_outages(work, service="test")
    assert attempts == 2


async def test_whether_the_database_takes_writes_is_never_unclear(sick: tuple[MongoProxy, mongo.Collection]) -> None:
    proxy, things = sick
    for answer in (failed(1), failed(2), failed(424242), write_failed(2), concern_failed(1)):
        proxy.faults[:] = [Fault(answer)]
        assert type(await caught(mongo.writable(database_of(things), "test"))) is Outage
    proxy.faults[:] = [Fault(write_failed(11000))]
    await mongo.writable(database_of(things), "test")  # another replica wrote the first one
