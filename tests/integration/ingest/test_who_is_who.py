"""Spaces, contradictions and their confirmation through both doors, and what `kvar student` tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aio_pika
import httpx
import orjson
import pytest
from aio_pika.abc import AbstractChannel

from services.ingest import bodies
from shared.events import read_event
from tests.integration.ingest.people import coach, lesson, number, place
from tests.integration.ingest.stage import (
    AS_PUBLISHER,
    AS_SERVICE,
    Outgoing,
    Stage,
    kvar,
    new_id,
    publish,
    statuses,
    student_of,
    until,
)

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration


@pytest.fixture(params=["http", "amqp"])
async def send(request: pytest.FixtureRequest, stage: Stage, http: httpx.AsyncClient) -> AsyncIterator[Any]:
    """Publishes events through one of the doors, in order."""
    if request.param == "http":

        async def over_http(*items: dict[str, Any]) -> None:
            await publish(http, list(items))

        yield over_http
        return
    async with await aio_pika.connect(stage.amqp_url) as connection:
        channel: AbstractChannel = await connection.channel()
        exchange = await channel.get_exchange("sis.events")

        async def over_amqp(*items: dict[str, Any]) -> None:
            for item in items:
                await exchange.publish(aio_pika.Message(orjson.dumps(item)), "2480.events", mandatory=True)

        yield over_amqp


async def rejected(http: httpx.AsyncClient, item: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a refused event."""

    async def kept() -> dict[str, Any] | None:
        after: str | None = None
        while True:
            query = {"limit": 1000} | ({"after": after} if after else {})
            page = (await http.get("/internal/rejected", params=query, headers=AS_SERVICE)).json()
            for each in page["items"]:
                if item["id"] in (each["content"] or ""):
                    found: dict[str, Any] = each
                    return found
            after = page["next"]
            if after is None:
                return None

    found: dict[str, Any] = await until(f"{item['id']} to be refused and kept", kept)
    return found


async def contradictions(http: httpx.AsyncClient, kind: str) -> float:
    lines = (await http.get("/metrics")).text.splitlines()
    name = f'kvar_ingest_contradictions_total{{authority="2480",kind="{kind}"}}'
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


async def test_two_systems_that_number_from_one_mean_two_students(
    send: Any, http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    student = new_id("id:1001")
    maja = place(student, "school-a", given_name="Maja", family_name="Ek", national_id=number())
    omar = place(student, "school-b", given_name="Omar", family_name="Said", national_id=number("20090202"))
    lessons = [lesson(student, "school-a"), lesson(student, "school-b")]
    await send(maja, omar, *lessons)
    subjects = [read_event((await outgoing.wait_for(item["id"]))[0].body).subject for item in (maja, omar, *lessons)]
    assert subjects[:2] == subjects[2:]
    assert subjects[0] != subjects[1]
    for system, name, subject in zip(("school-a", "school-b"), ("Maja", "Omar"), subjects, strict=False):
        known = await student_of(http, student, system)
        assert known is not None
        assert (known["pseudonym"], known["given_name"], known["space"]) == (subject, name, system)


async def test_staff_numbers_of_two_systems_are_two_persons(send: Any, outgoing: Outgoing) -> None:
    own = new_id("staff:12")
    right, stranger = coach(own, "Rut Al", "r@a.example", "school-a"), coach(own, "Sten Ö", "s@b.example", "school-b")
    enrolment = place(new_id("id:c"), "school-a", coach=own, coaches=[own, new_id("staff:13")])
    await send(right, enrolment, stranger)
    events = [read_event((await outgoing.wait_for(item["id"]))[0].body) for item in (right, stranger, enrolment)]
    assert [event.subject for event in events[:2]] == [own.replace(":", f":{at}/") for at in ("school-a", "school-b")]
    assert b"".join(message.body for message in outgoing.of(enrolment["id"])).count(f"school-a/{own[6:]}".encode()) == 2
    assert events[2].data.coach == events[0].subject  # type: ignore[union-attr]


async def test_systems_that_share_a_space_share_their_references(http: httpx.AsyncClient) -> None:
    student = new_id("id:shared")
    await publish(http, [lesson(student, "sis"), lesson(student, "gradebook"), lesson(student)])
    found = [await student_of(http, student, system) for system in ("sis", "gradebook", "test")]
    first, second, third = [one["pseudonym"] for one in found if one is not None]
    assert first == second != third
    assert [one["space"] for one in found if one is not None] == ["sis", "sis", "test"]


async def test_another_space_is_named_by_right_alone(http: httpx.AsyncClient, outgoing: Outgoing) -> None:
    student, own = new_id("id:named"), new_id("id:own")
    named = {"space": "sis", "id": student}
    by_right, without = place(own, "survey", named, coach={"space": "sis", "id": "staff:7"}), place(own, "test", named)
    await publish(http, [lesson(student, "sis")])
    response = await publish(http, [by_right, without])
    assert statuses(response) == ["accepted", "rejected"]
    [fault] = response.json()["items"][1]["errors"]
    assert (fault["path"], fault["found"]) == ("$.data.person.references[0].space", '"sis"')
    sis, survey = await student_of(http, student, "sis"), await student_of(http, own, "survey")
    assert sis is not None
    assert survey is not None
    assert sis["pseudonym"] == survey["pseudonym"]
    [message] = await outgoing.wait_for(by_right["id"])
    assert read_event(message.body).data.coach == "staff:sis/7"  # type: ignore[union-attr]


async def test_another_national_id_waits_until_somebody_confirms_it(
    send: Any, stage: Stage, http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    student, known, other = new_id("id:contradicted"), number(), number("20090202")
    first = place(student, national_id=known)
    second = place(student, national_id=other, given_name="Omar", family_name="Said", revision=2)
    await send(first)
    await outgoing.wait_for(first["id"])
    counted = await contradictions(http, "national_id")
    await send(second)
    kept = await rejected(http, second)
    assert "another national id" in kept["reason"]
    assert [error["path"] for error in kept["errors"]] == ["$.data.person.national_id"]
    assert known not in str(kept["errors"]) + kept["reason"]
    assert await contradictions(http, "national_id") == counted + 1
    assert await student_of(http, f"civic:{other}") is None, "no link is left by what was refused"
    # Its publisher cannot confirm it, nor does an operator by accident.
    own = await http.post(f"/v1/rejected/{kept['id']}/replay", params={"confirm": True}, headers=AS_PUBLISHER)
    assert own.status_code == 422
    assert (await kvar(stage, "rejected", "replay", kept["id"])).returncode == 1
    assert not outgoing.of(second["id"])
    confirmed = await kvar(stage, "rejected", "replay", kept["id"], "--confirm")
    assert confirmed.stdout.strip() == "accepted", confirmed.stderr
    await outgoing.wait_for(second["id"])
    before, after = await student_of(http, student), await student_of(http, f"civic:{other}")
    assert before is not None
    assert after is not None
    assert (before["pseudonym"], before["given_name"]) == (after["pseudonym"], "Omar")
    # From now on the new one is known, and the old one contradicts it.
    third = [place(student, national_id=other, revision=3), place(student, national_id=known, revision=4)]
    assert statuses(await publish(http, third)) == ["accepted", "rejected"]


async def test_a_temporary_number_becomes_a_personal_one(http: httpx.AsyncClient, outgoing: Outgoing) -> None:
    student, temporary, personal = new_id("id:new-number"), number(temporary=True), number()
    items = [
        place(student, national_id=temporary, given_name="Zahra", family_name=""),
        place(student, national_id=personal, given_name="Zahra", family_name="Ali", revision=2),
        lesson(f"civic:{temporary}"),
        lesson(f"civic:{personal}"),
    ]
    assert statuses(await publish(http, items)) == ["accepted"] * 4
    assert len({read_event((await outgoing.wait_for(item["id"]))[0].body).subject for item in items}) == 1


async def test_a_staff_id_that_became_somebody_else_waits_until_somebody_confirms_it(
    send: Any, stage: Stage, http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    own = new_id("staff:12")
    known, stranger = coach(own, "Rut Al", "rut@a.example"), coach(own, "Sten Ö", "sten@b.example")
    await send(known)
    await outgoing.wait_for(known["id"])
    counted = await contradictions(http, "staff")
    await send(stranger)
    kept = await rejected(http, stranger)
    assert "name" in kept["reason"]
    assert "mail domain" in kept["reason"]
    assert await contradictions(http, "staff") == counted + 1
    assert not outgoing.of(stranger["id"])
    path = f"/internal/rejected/{kept['id']}/replay"
    assert (await http.post(path, headers=AS_SERVICE)).status_code == 422
    assert (await http.post(path, params={"confirm": True}, headers=AS_PUBLISHER)).status_code == 401
    assert (await http.post(path, params={"confirm": True}, headers=AS_SERVICE)).status_code == 202
    await outgoing.wait_for(stranger["id"])
    later = [coach(own, "Sten Ö", "sten@c.example"), coach(own, "Rut Al", "rut@a.example")]
    assert statuses(await publish(http, later)) == ["accepted", "rejected"]
    married = coach(own, "Sten Berg", "sten.berg@d.example")
    assert statuses(await publish(http, [married])) == ["accepted"]


async def test_what_was_accepted_is_a_duplicate_and_no_contradiction(http: httpx.AsyncClient) -> None:
    student, own = new_id("id:again"), new_id("staff:again")
    events = [place(student, national_id=number(temporary=True)), coach(own, "Rut Al", "rut@a.example")]
    later = [place(student, national_id=number(), revision=2), coach(own, "Rut Ek", "rut@b.example")]
    assert statuses(await publish(http, [*events, *later])) == ["accepted"] * 4
    assert statuses(await publish(http, [*events, *later])) == ["duplicate"] * 4


async def test_one_name_is_enough(http: httpx.AsyncClient) -> None:
    student = new_id("id:one-name")
    item = place(student, given_name=" Zahra ", family_name="", starts_on="2019-08-19")
    assert (await publish(http, item, bodies.ONE)).status_code == 202
    known = await student_of(http, student)
    assert known is not None
    answer = (await http.get(f"/internal/people/{known['pseudonym']}", headers=AS_SERVICE)).json()
    assert (answer["given_name"], answer["family_name"]) == ("Zahra", None)


async def test_no_collection_of_who_is_who_holds_a_reference_or_a_national_id(
    http: httpx.AsyncClient, database: Database
) -> None:
    tag, national_id = new_id("secret"), number()
    event = place(f"id:{tag}", "test", f"id:grades-{tag}", f"civic:{national_id}", national_id=national_id)
    assert statuses(await publish(http, [event])) == ["accepted"]
    known = await student_of(http, f"id:{tag}")
    assert known is not None
    documents = await database["aliases"].find({"pseudonym": known["pseudonym"]}).to_list(10)
    assert len(documents) == 3
    documents += await database["people"].find({"_id": known["pseudonym"]}).to_list(1)
    documents += await database["events_archive"].find({"subject": known["pseudonym"]}).to_list(10)
    assert len(documents) == 5
    assert tag not in str(documents)
    assert national_id not in str(documents)
