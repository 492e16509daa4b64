"""Nothing accepted is lost: broker or database away, a crash between archive and publishing, two replicas at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from deploy.local.ports import free_ports
from services.ingest.alias_map import AliasMap
from services.ingest.aliases import Key
from services.ingest.arrivals import Arrival, Door
from services.ingest.identities import Identities
from services.ingest.identity_store import Aliases, People, StaffRecords
from services.ingest.intake import Intake
from services.ingest.people import PersonRecord
from services.ingest.pseudonyms import KeyedHashes, new_pseudonym
from services.ingest.publishing import SWEEP_AFTER, Publishing, Sweeper
from services.ingest.rejected import RejectedItems
from services.ingest.spaces import Spaces
from services.ingest.store import EventArchive
from shared import metrics
from shared.errors import Outage
from shared.events import read_event
from tests.conftest import BrokerServer
from tests.integration.ingest.conftest import environment, service_process, wait_for
from tests.integration.ingest.stage import PSEUDONYM_KEY, Outgoing, new_id, now, publish, statuses, until
from tests.unit.ingest.builders import attendance, enrolment, person, staff

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration

OWN = frozenset({"2480"})
SHARDS = 8


class Broker:
    """Confirms everything or nothing, and keeps what it confirmed."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.confirmed: list[tuple[str, bytes]] = []

    async def __call__(self, body: bytes, *, routing_key: str, message_id: str) -> None:  # noqa: ARG002
        await asyncio.sleep(0)
        if self.is_away:
            raise Outage("the broker is away")
        self.confirmed.append((message_id, body))


class Life:
    """What a replica has left: so many operations on who is who, then its database is away for ever."""

    def __init__(self, operations: int = 1_000_000) -> None:
        self.operations = operations

    def spend(self) -> None:
        self.operations -= 1
        if self.operations < 0:
            raise Outage("dead")


class MortalAliases(Aliases):
    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database)
        self._life = life

    async def claim(self, links: Mapping[Key, str], now: datetime) -> dict[Key, str]:
        self._life.spend()
        return await super().claim(links, now)


class MortalPeople(People):
    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database)
        self._life = life

    async def replace(self, records: Mapping[str, tuple[PersonRecord, int]]) -> None:
        self._life.spend()
        await super().replace(records)


def replica(database: Database, broker: Broker, life: Life | None = None) -> Intake:
    """Another ingest on the same collections."""
    life = life or Life()
    people = MortalPeople(database, life)
    aliases = AliasMap(MortalAliases(database, life), people, new_pseudonym)
    identities = Identities(KeyedHashes(PSEUDONYM_KEY), aliases, people, StaffRecords(database))
    return Intake(
        EventArchive(database),
        identities,
        RejectedItems(database),
        Publishing(broker, SHARDS),
        zone=ZoneInfo("Europe/Stockholm"),
        spaces=Spaces(),
    )


async def pseudonym_of(database: Database, reference: str) -> str | None:
    """As the replicas know it, in the space of the system `test`."""
    key = ("2480", KeyedHashes(PSEUDONYM_KEY).of_reference("2480", "test", reference))
    return (await Aliases(database).find([key])).get(key)


def arrival(item: dict[str, Any]) -> Arrival:
    return Arrival(item, OWN, "2480")


async def receive(intake: Intake, *items: dict[str, Any]) -> list[str]:
    outcomes = await intake.receive([arrival(item) for item in items], door=Door.HTTP, now=now())
    return [outcome.status.value for outcome in outcomes]


def lesson(student: str = "id:recovery", **changes: Any) -> dict[str, Any]:
    return attendance(student, now=now(), id=new_id(), **changes)


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


async def test_two_replicas_with_the_same_items_publish_and_agree(database: Database) -> None:
    tag = new_id()
    items = [
        enrolment(
            f"id:{tag}-{number}",
            id=f"{tag}-e{number}",
            data={"starts_on": now().date().isoformat(), "person": person(f"id:grades-{tag}-{number}")},
        )
        for number in range(40)
    ] + [lesson(f"id:grades-{tag}-{number}") for number in range(40)]
    brokers = [Broker(), Broker()]
    answers = await asyncio.gather(*(receive(replica(database, broker), *items) for broker in brokers))
    assert {status for answer in answers for status in answer} <= {"accepted", "duplicate"}
    published = [read_event(body) for broker in brokers for _, body in broker.confirmed]
    assert {event.id for event in published} == {item["id"] for item in items}
    subjects = {(event.id, event.subject) for event in published}
    assert len(subjects) == len(items), "both gave each event the same pseudonym"
    assert len({subject for _, subject in subjects}) == 40
    for item_id in {event.id for event in published}:
        assert len({event.encode() for event in published if event.id == item_id}) == 1


async def test_replicas_that_race_for_one_person_lose_no_revision(database: Database) -> None:
    student = new_id("id:raced")
    starts_on = now().date().isoformat()
    items = [
        enrolment(
            student, id=new_id(), data={"starts_on": starts_on, "revision": n, "person": person(given_name=f"N{n}")}
        )
        for n in range(1, 9)
    ]
    await asyncio.gather(*(receive(replica(database, Broker()), item) for item in items))
    pseudonym = await pseudonym_of(database, student)
    assert pseudonym is not None
    [(record, _)] = (await People(database).find([pseudonym])).values()
    assert (record.revision, record.given_name) == (8, "N8")


def national_id(born: str = "20090101") -> str:
    return f"{born}{secrets.randbelow(10_000):04d}"


def place(student: str, *references: str, number: str | None, **names: str) -> dict[str, Any]:
    data = {"starts_on": now().date().isoformat(), "person": person(*references, national_id=number, **names)}
    return enrolment(student, id=new_id(), data=data)


async def test_replicas_that_meet_the_same_new_students_at_once_end_with_one_pseudonym_each(database: Database) -> None:
    students = [new_id("id:met") for _ in range(30)]
    brokers = [Broker() for _ in range(4)]
    lessons = [[lesson(student) for student in students] for _ in brokers]
    await asyncio.gather(*(receive(replica(database, one), *mine) for one, mine in zip(brokers, lessons, strict=True)))
    published = {
        event.id: event.subject for one in brokers for event in (read_event(body) for _, body in one.confirmed)
    }
    found = [{published[mine[n]["id"]] for mine in lessons} for n in range(len(students))]
    assert {len(subjects) for subjects in found} == {1}
    assert len(set.union(*found)) == len(students)


async def test_of_two_national_ids_for_one_student_at_once_one_comes_in_and_the_other_is_linked_to_nobody(
    database: Database,
) -> None:
    students = [(new_id("id:raced"), national_id(), national_id("20090202")) for _ in range(30)]
    mine = [[place(student, number=one) for student, one, _ in students]]
    mine += [[place(student, number=two) for student, _, two in students[::-1]][::-1]]
    answers = await asyncio.gather(*(receive(replica(database, Broker()), *items) for items in mine))
    for (student, *numbers), said in zip(students, zip(*answers, strict=True), strict=True):
        assert sorted(said) == ["accepted", "rejected"]
        pseudonym = await pseudonym_of(database, student)
        linked = [await pseudonym_of(database, f"civic:{number}") for number in numbers]
        assert linked == [pseudonym if one == "accepted" else None for one in said]


async def test_of_two_persons_with_one_new_staff_id_at_once_one_comes_in(database: Database) -> None:
    ids = [new_id("staff:raced") for _ in range(20)]
    persons = [("Rut Al", "rut@a.example"), ("Sten Ö", "sten@b.example")]
    items = [[staff(each, id=new_id(), data={"name": name, "email": mail}) for each in ids] for name, mail in persons]
    brokers = [Broker(), Broker()]
    answers = await asyncio.gather(
        *(receive(replica(database, broker), *mine) for broker, mine in zip(brokers, items, strict=True))
    )
    assert all(sorted(said) == ["accepted", "rejected"] for said in zip(*answers, strict=True))
    assert sum(len(broker.confirmed) for broker in brokers) == len(ids)


@pytest.mark.parametrize("operations", range(6))
async def test_a_replica_that_dies_while_it_links_leaves_nothing_that_another_cannot_finish(
    database: Database, operations: int
) -> None:
    student, grades, number = new_id("id:died"), new_id("id:grades"), national_id()
    item, broker, life = place(student, grades, number=number), Broker(), Life(operations)
    # Five operations link a student with everything; then it is archived, and dies before it is published.
    with pytest.raises(Outage, match="dead" if operations < 5 else "confirm"):
        await receive(replica(database, Broker(is_away=True), life), item)
    # The other one meets somebody with another number first: nothing is known for sure but what was written.
    contradicting = place(student, number=national_id("20090202"), given_name="Omar", family_name="Said")
    assert await receive(replica(database, broker), item, contradicting) == ["accepted", "rejected"]
    pseudonym = await pseudonym_of(database, student)
    assert pseudonym is not None
    assert {await pseudonym_of(database, one) for one in (grades, f"civic:{number}")} == {pseudonym}
    [(_, body)] = broker.confirmed
    assert read_event(body).subject == pseudonym
    [(record, _)] = (await People(database).find([pseudonym])).values()
    assert record.given_name == "Alva"


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
