"""Nothing accepted is lost: broker or database away, a crash between archive and publishing, two replicas at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.local.ports import free_ports
from services.ingest.publishing import SET_ASIDE_FOR, SWEEP_AFTER, SWEEP_BATCHES, Publishing, Sweeper
from services.ingest.store import EventArchive
from shared import metrics
from shared.errors import Outage
from shared.events import read_event
from tests.conftest import BrokerServer
from tests.integration.ingest.conftest import environment, service_process, wait_for
from tests.integration.ingest.replica import SHARDS, Broker, lesson, receive, replica
from tests.integration.ingest.stage import Outgoing, new_id, now, publish, statuses, until
from tests.unit.ingest.builders import enrolment, person

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration


async def crash(database: Database, *items: dict[str, Any]) -> None:
    """Leaves items archived but unpublished."""
    with pytest.raises(Outage):
        await receive(replica(database, Broker(is_away=True)), *items)


async def test_what_was_archived_but_not_published_is_published_by_a_repetition(
    database: Database, http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    item = lesson()
    await crash(database, item)
    assert statuses(await publish(http, [item])) == ["accepted"]
    await outgoing.wait_for(item["id"])


async def test_an_enrolment_with_a_person_is_published_by_a_repetition(database: Database) -> None:
    item = enrolment(new_id("id:e"), id=new_id(), data={"starts_on": now().date().isoformat(), "person": person()})
    await crash(database, item)
    broker = Broker()
    assert await receive(replica(database, broker), item) == ["accepted"]
    [(_, body)] = broker.confirmed
    assert b"Alva" not in body


async def test_the_sweeper_publishes_the_same_message_and_only_what_has_waited(database: Database) -> None:
    item, broker = lesson(), Broker()
    await crash(database, item)
    archive = EventArchive(database)
    sweeper = Sweeper(archive, Publishing(broker, SHARDS), now)
    await sweeper.sweep(now())
    assert item["id"] not in dict(broker.confirmed)
    await sweeper.sweep(now() + SWEEP_AFTER + timedelta(seconds=1))
    swept = dict(broker.confirmed)[item["id"]]
    archived = await archive.find([f"{item['source']} {item['id']}"])
    [kept] = archived.values()
    assert read_event(swept).recordedtime == kept.recorded_at
    assert await archive.unpublished([kept]) == set()
    assert await receive(replica(database, broker), item) == ["duplicate"]


async def test_the_sweeper_keeps_what_the_broker_does_not_confirm_and_tells_its_age(database: Database) -> None:
    item = lesson()
    await crash(database, item)
    archive = EventArchive(database)
    later = now() + timedelta(minutes=2)
    with pytest.raises(Outage):
        await Sweeper(archive, Publishing(Broker(is_away=True), SHARDS), now).sweep(later)
    assert metrics.UNPUBLISHED_AGE._value.get() >= 119
    archived = await archive.find([f"{item['source']} {item['id']}"])
    assert await archive.unpublished(archived.values()) == set(archived)
    broker = Broker()
    await Sweeper(archive, Publishing(broker, SHARDS), now).sweep(later)
    assert item["id"] in dict(broker.confirmed)


async def test_a_note_of_events_that_were_never_archived_is_given_up(database: Database) -> None:
    note = {"_id": new_id("batch"), "opened_at": now(), "keys": [new_id("never")]}
    await database["events_unpublished"].insert_one(note)
    sweeper = Sweeper(EventArchive(database), Publishing(Broker(), SHARDS), now)
    await sweeper.sweep(now() + timedelta(minutes=10))
    assert await database["events_unpublished"].count_documents({"_id": note["_id"]}) == 1
    await sweeper.sweep(now() + timedelta(hours=2))
    assert await database["events_unpublished"].count_documents({"_id": note["_id"]}) == 0


async def unpublished(database: Database) -> set[str]:
    return {key async for note in database["events_unpublished"].find() for key in note["keys"]}


def key_of(item: dict[str, Any]) -> str:
    return f"{item['source']} {item['id']}"


@pytest.mark.parametrize(
    "poison",
    [{"event": "{}"}, {"event": '{"type": []}'}, {"event": None}, {"subject": "\u0000", "type": 7}, {"added": "later"}],
    ids=["no contract fits", "a type that is none", "no event", "another type", "a field of a newer version"],
)
async def test_nothing_waits_behind_an_event_that_cannot_be_published(
    database: Database, poison: dict[str, Any]
) -> None:
    await database["events_unpublished"].delete_many({})
    bad, beside = lesson(), lesson()
    await crash(database, bad, beside)
    await database["events_archive"].update_one({"_id": key_of(bad)}, {"$set": poison})
    behind = [lesson() for _ in range(3)]
    for item in behind:
        await crash(database, item)
    archive, broker = EventArchive(database), Broker()
    sweeper, later = Sweeper(archive, Publishing(broker, SHARDS), now), now() + timedelta(minutes=2)
    await sweeper.sweep(later)
    is_published = {item["id"]: item["id"] in dict(broker.confirmed) for item in (bad, beside, *behind)}
    can_be_published = "added" in poison
    assert is_published == dict.fromkeys(is_published, True) | {bad["id"]: can_be_published}
    assert await unpublished(database) == (set() if can_be_published else {key_of(bad)})
    assert metrics.UNPUBLISHABLE._value.get() == (0 if can_be_published else 1)
    await sweeper.sweep(later)
    assert metrics.UNPUBLISHED_AGE._value.get() == 0, "what is set aside is no sign that the sweeper is stuck"


async def test_what_was_set_aside_is_published_when_it_can_be(database: Database) -> None:
    await database["events_unpublished"].delete_many({})
    item, broker = lesson(), Broker()
    await crash(database, item)
    kept = await database["events_archive"].find_one({"_id": key_of(item)})
    assert kept is not None
    await database["events_archive"].update_one({"_id": key_of(item)}, {"$set": {"event": "{}"}})
    sweeper, then = Sweeper(EventArchive(database), Publishing(broker, SHARDS), now), now() + timedelta(minutes=2)
    await sweeper.sweep(then)
    await database["events_archive"].update_one({"_id": key_of(item)}, {"$set": {"event": kept["event"]}})
    await sweeper.sweep(then + timedelta(minutes=1))
    assert await unpublished(database) == {key_of(item)}
    await sweeper.sweep(then + SET_ASIDE_FOR + timedelta(seconds=1))
    assert item["id"] in dict(broker.confirmed)
    assert await unpublished(database) == set()
    assert metrics.UNPUBLISHABLE._value.get() == 0


async def test_more_notes_that_have_to_wait_than_are_swept_at_once_hold_up_nobody(database: Database) -> None:
    await database["events_unpublished"].delete_many({})
    notes = [{"_id": new_id("batch"), "opened_at": now(), "keys": [new_id("never")]} for _ in range(SWEEP_BATCHES + 5)]
    await database["events_unpublished"].insert_many(notes)
    item, broker = lesson(), Broker()
    await crash(database, item)
    await Sweeper(EventArchive(database), Publishing(broker, SHARDS), now).sweep(now() + timedelta(minutes=2))
    assert item["id"] in dict(broker.confirmed)
    assert len(await unpublished(database)) == len(notes)
    await database["events_unpublished"].delete_many({})


async def test_a_bad_event_in_a_request_does_not_keep_the_others(database: Database) -> None:
    """Those published are noted so: they do not go out again with each try."""
    bad, good = lesson(), [lesson() for _ in range(20)]

    class Choosy(Broker):
        async def __call__(self, body: bytes, *, routing_key: str, message_id: str) -> None:
            if message_id == bad["id"]:
                raise TypeError("not this one")
            await super().__call__(body, routing_key=routing_key, message_id=message_id)

    broker = Choosy()
    await database["events_unpublished"].delete_many({})
    for _ in range(2):
        await receive(replica(database, broker), bad, *good)
    assert sorted(key for key, _ in broker.confirmed) == sorted(item["id"] for item in good)
    assert await unpublished(database) == {key_of(bad)}
    await database["events_unpublished"].delete_many({})


async def test_a_service_without_database_says_so_and_accepts_nothing(
    new_vhost: Callable[[], str], run_folder: Path
) -> None:
    [closed] = free_ports(1)
    settings = environment(new_vhost(), f"mongodb://127.0.0.1:{closed}/?serverSelectionTimeoutMS=300", "none")
    with service_process(settings, run_folder / "ingest-alone.log") as url:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            ready = await client.get("/health/ready")
            assert ready.status_code == 503
            assert "database" in str(ready.json()["missing"])
            response = await publish(client, [lesson()])
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert int(response.headers["retry-after"]) > 0


async def test_a_service_whose_broker_vanishes_accepts_nothing(
    new_vhost: Callable[[], str], broker_server: BrokerServer, mongo_url: str, module_database: str, run_folder: Path
) -> None:
    amqp_url, log = new_vhost(), run_folder / "ingest-broker.log"
    with service_process(environment(amqp_url, mongo_url, module_database), log) as url:
        await asyncio.to_thread(wait_for, f"{url}/health/ready", None, log)
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
            assert (await publish(client, [lesson()])).status_code == 202
            broker_server.management.delete_vhost(amqp_url.rsplit("/", 1)[1])
            response = await publish(client, [lesson() for _ in range(600)])
            assert response.status_code == 503
            assert "retry-after" in response.headers

            async def is_unready() -> bool:
                return (await client.get("/health/ready")).status_code == 503

            await until("the service to say that it is not ready", is_unready)
            broker_server.management.create_vhost(amqp_url.rsplit("/", 1)[1])
