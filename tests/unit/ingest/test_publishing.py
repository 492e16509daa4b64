"""Publishing from the archive, against a broker that confirms or not."""

from __future__ import annotations

import orjson

from services.ingest.publishing import UNCONFIRMED_AT_ONCE, Publishing
from services.ingest.store import Archived
from shared.errors import Outage
from shared.events import read_event
from tests.builders import pseudonym
from tests.unit.ingest.builders import NOW, attendance

STUDENT = pseudonym("alva")


def archived(key: str) -> Archived:
    event = attendance(STUDENT, id=key, recordedtime=NOW.isoformat(), data={"unknown_field": "x"})
    return Archived(key, "2480", event["type"], STUDENT, NOW, "digest", orjson.dumps(event).decode())


class Broker:
    """Confirms but for the messages in `refused`."""

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        self.refused = refused
        self.bodies: dict[str, bytes] = {}
        self.keys: set[str] = set()

    async def __call__(self, body: bytes, *, routing_key: str, message_id: str) -> None:
        if message_id in self.refused:
            raise Outage("not confirmed")
        self.bodies[message_id] = body
        self.keys.add(routing_key)


async def test_only_contract_fields_go_out_to_the_students_shard() -> None:
    broker = Broker()
    assert await Publishing(broker, shards=8).publish_all([archived("1")]) == []
    [body] = broker.bodies.values()
    message = read_event(body)
    assert (message.id, message.subject, message.recordedtime) == ("1", STUDENT, NOW)
    assert b"unknown_field" not in body
    [key] = broker.keys
    assert key.endswith(".attendance.recorded")
    assert key.startswith("s0")


async def test_what_is_not_confirmed_is_told_and_the_rest_of_a_long_batch_is_not_tried() -> None:
    events = [archived(str(number)) for number in range(2 * UNCONFIRMED_AT_ONCE)]
    broker = Broker(refused=frozenset({"0"}))
    unconfirmed = await Publishing(broker, shards=8).publish_all(events)
    assert "0" in unconfirmed
    assert {event.key for event in events} == set(unconfirmed) | set(broker.bodies)
    assert not set(unconfirmed) & set(broker.bodies)
    assert len(unconfirmed) > 1
