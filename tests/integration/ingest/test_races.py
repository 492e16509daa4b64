"""Replicas that meet the same people at once, or die while they link them: nobody becomes two, and no two become one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.ingest import checks
from services.ingest.identity_store import People
from shared.errors import Outage
from shared.events import read_event
from tests.integration.ingest.people import number as unused_number
from tests.integration.ingest.replica import Broker, Life, lesson, pseudonym_of, receive, replica
from tests.integration.ingest.stage import new_id, now
from tests.unit.ingest.builders import enrolment, person, staff

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration


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
    students = [(new_id("id:raced"), unused_number(), unused_number("20090202")) for _ in range(30)]
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
    student, grades, number = new_id("id:died"), new_id("id:grades"), unused_number()
    item, broker, life = place(student, grades, number=number), Broker(), Life(operations)
    # Five operations link a student with everything; then it is archived, and dies before it is published.
    with pytest.raises(Outage, match="dead" if operations < 5 else "confirm"):
        await receive(replica(database, Broker(is_away=True), life), item)
    # The other one meets somebody with another number first: nothing is known for sure but what was written.
    contradicting = place(student, number=unused_number("20090202"), given_name="Omar", family_name="Said")
    assert await receive(replica(database, broker), item, contradicting) == ["accepted", "rejected"]
    pseudonym = await pseudonym_of(database, student)
    assert pseudonym is not None
    assert {await pseudonym_of(database, one) for one in (grades, f"civic:{number}")} == {pseudonym}
    [(_, body)] = broker.confirmed
    assert read_event(body).subject == pseudonym
    [(record, _)] = (await People(database).find([pseudonym])).values()
    assert record.given_name == "Alva"


async def test_an_item_that_a_check_fails_on_is_refused_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, usual = lesson(new_id("id:bad")), checks.check

    def check(item: Any, *given: Any) -> Any:
        if item["id"] == bad["id"]:
            raise KeyError(item["subject"])
        return usual(item, *given)

    monkeypatch.setattr(checks, "check", check)
    assert await receive(replica(database, Broker()), lesson(new_id("id:good")), bad, lesson(new_id("id:good"))) == [
        "accepted",
        "rejected",
        "accepted",
    ]
