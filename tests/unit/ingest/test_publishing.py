"""Publishing from the archive, against a broker that confirms or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson
import pytest

from services.ingest.publishing import UNCONFIRMED_AT_ONCE, Publishing, outage_of
from services.ingest.store import Archived
from shared.errors import Outage
from shared.events import read_event
from shared.messaging.broker import Unroutable
from tests.builders import pseudonym
from tests.unit.ingest.builders import NOW, attendance

STUDENT = pseudonym("alva")


def archived(key: str) -> Archived:
    event = attendance(STUDENT, id=key, recordedtime=NOW.isoformat(), data={"unknown_field": "x"})
    return Archived(key, "2480", event["type"], STUDENT, NOW, "digest", orjson.dumps(event).decode())


class Broker:
    """Confirms but for the messages in `refused`."""

    def __init__(self, refused: Mapping[str, Exception] | None = None) -> None:
        self.refused = refused or {}
        self.bodies: dict[str, bytes] = {}
        self.keys: set[str] = set()

    async def __call__(self, body: bytes, *, routing_key: str, message_id: str) -> None:
        if message_id in self.refused:
            raise self.refused[message_id]
        self.bodies[message_id] = body
        self.keys.add(routing_key)


async def test_only_contract_fields_go_out_to_the_students_shard() -> None:
    broker = Broker()
    assert await Publishing(broker, shards=8).publish_all([archived("1")]) == {}
    [body] = broker.bodies.values()
    message = read_event(body)
    assert (message.id, message.subject, message.recordedtime) == ("1", STUDENT, NOW)
    assert b"unknown_field" not in body
    [key] = broker.keys
    assert key.endswith(".attendance.recorded")
    assert key.startswith("s0")


async def test_what_is_not_confirmed_is_told_and_the_rest_of_a_long_batch_is_not_tried() -> None:
    events = [archived(str(number)) for number in range(2 * UNCONFIRMED_AT_ONCE)]
    broker = Broker(refused={"0": Outage("not confirmed")})
    problems = await Publishing(broker, shards=8).publish_all(events)
    assert "0" in problems
    assert {event.key for event in events} == set(problems) | set(broker.bodies)
    assert not set(problems) & set(broker.bodies)
    assert len(problems) > 1
    assert isinstance(outage_of(problems), Outage)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(replace(archived("bad"), event="{}"), id="no contract fits"),
        pytest.param(replace(archived("bad"), event='{"type": []}'), id="a type that is none"),
        pytest.param(replace(archived("bad"), event=None), id="nothing"),  # type: ignore[arg-type]
        pytest.param(replace(archived("bad"), subject="\udfff"), id="a subject that cannot be encoded"),
        pytest.param(replace(archived("bad"), type=None), id="no type"),  # type: ignore[arg-type]
    ],
)
async def test_an_event_that_cannot_go_out_stays_behind_alone(bad: Archived) -> None:
    broker = Broker()
    events = [archived("1"), bad, archived("2")]
    problems = await Publishing(broker, shards=8).publish_all(events)
    assert list(problems) == ["bad"]
    assert set(broker.bodies) == {"1", "2"}
    assert outage_of(problems) is None


@pytest.mark.parametrize("problem", [ValueError(), TypeError(), Unroutable("no queue")])
async def test_an_event_that_the_broker_takes_nowhere_stays_behind_alone(problem: Exception) -> None:
    events = [archived(str(number)) for number in range(2 * UNCONFIRMED_AT_ONCE)]
    broker = Broker(refused={"0": problem})
    problems = await Publishing(broker, shards=8).publish_all(events)
    assert problems == {"0": problem}
    assert len(broker.bodies) == len(events) - 1
    assert outage_of(problems) is None
