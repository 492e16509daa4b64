"""Events over HTTP: what is accepted is archived and goes out under a pseudonym; repetitions change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from services.ingest import bodies
from services.ingest.pseudonyms import KeyedHashes
from shared.events import read_event
from shared.messaging.topology import routing_key
from tests.integration.ingest.stage import (
    AS_SERVICE,
    PSEUDONYM_KEY,
    TOKENS,
    Outgoing,
    Stage,
    new_id,
    now,
    publish,
    statuses,
    student_of,
)
from tests.unit.ingest import builders
from tests.unit.ingest.builders import attendance, person

if TYPE_CHECKING:
    from shared.mongo import Database

pytestmark = pytest.mark.integration


def lesson(student: str, event_id: str | None = None, **changes: Any) -> dict[str, Any]:
    return attendance(student, now=now(), id=event_id or new_id(), **changes)


def enrolment(student: str, *, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    starts_on = now().date().isoformat()
    return builders.enrolment(student, data={"starts_on": starts_on, **data}, id=new_id("enrolment"), **envelope)


async def subject_of(outgoing: Outgoing, item: dict[str, Any]) -> str:
    [message] = await outgoing.wait_for(item["id"])
    return read_event(message.body).subject


async def test_one_event_is_archived_and_published_under_its_pseudonym(
    http: httpx.AsyncClient, outgoing: Outgoing, database: Database
) -> None:
    student = new_id("id:student")
    item = lesson(student, data={"reason": "migraine", "room": "B12"}, partitionkey="x")
    response = await publish(http, item, bodies.ONE)
    assert response.status_code == 202
    assert response.json() == {
        "accepted": 1,
        "duplicate": 0,
        "rejected": 0,
        "items": [{"index": 0, "id": item["id"], "status": "accepted"}],
    }
    [message] = await outgoing.wait_for(item["id"])
    event = read_event(message.body)
    known = await student_of(http, student)
    assert known is not None
    pseudonym = known["pseudonym"]
    assert event.subject == pseudonym
    assert event.under == known["under"] == KeyedHashes(PSEUDONYM_KEY).of_reference("2480", "test", student)
    assert event.recordedtime is not None
    assert abs((now() - event.recordedtime).total_seconds()) < 60
    assert message.routing_key == routing_key(item["type"], pseudonym, 8)
    assert message.content_type == "application/cloudevents+json"
    assert message.delivery_mode == 2
    for unwanted in (student, "migraine", "reason", "room", "partitionkey"):
        assert unwanted.encode() not in message.body
    archived = await database["events_archive"].find_one({"_id": f"{item['source']} {item['id']}"})
    assert archived is not None
    kept = orjson.loads(archived["event"])
    assert kept["partitionkey"] == "x", "what readers do not know yet is kept"
    assert kept["data"]["room"] == "B12"
    assert kept["under"] == event.under
    assert "migraine" not in archived["event"]
    assert student not in archived["event"]
    assert await database["events_unpublished"].count_documents({"_id": archived["batch"]}) == 0


async def test_a_repetition_is_a_duplicate_also_within_one_request(http: httpx.AsyncClient, outgoing: Outgoing) -> None:
    item = lesson("id:repeated")
    assert statuses(await publish(http, [item, item])) == ["accepted", "duplicate"]
    response = await publish(http, [item])
    assert response.status_code == 202
    assert statuses(response) == ["duplicate"]
    later = lesson("id:repeated")
    await publish(http, [later])
    await outgoing.wait_for(later["id"])
    assert len(outgoing.of(item["id"])) == 1


async def test_the_same_id_with_other_content_is_a_duplicate_that_says_so(http: httpx.AsyncClient) -> None:
    item = lesson("id:changed")
    changed = item | {"data": item["data"] | {"minutes": 45}}
    assert statuses(await publish(http, [item, changed])) == ["accepted", "duplicate"]
    response = await publish(http, [changed], items="rejected")
    assert response.json()["duplicate"] == 1
    assert "different content" in response.json()["items"][0]["note"]


async def test_in_lines_a_bad_one_is_rejected_and_the_others_come_in(http: httpx.AsyncClient) -> None:
    good, faulty, last = lesson("id:lines"), lesson("id:lines", data={"minutes": 0}), lesson("id:lines")
    body = b"\n".join([orjson.dumps(good), b'{"id": ', orjson.dumps(faulty), orjson.dumps(last), b""])
    response = await publish(http, body, bodies.LINES, items="rejected")
    assert response.status_code == 207
    answer = response.json()
    assert (answer["accepted"], answer["duplicate"], answer["rejected"]) == (2, 0, 2)
    assert [(item["index"], item["id"], item["errors"][0]["path"]) for item in answer["items"]] == [
        (1, None, "$"),
        (2, faulty["id"], "$.data.minutes"),
    ]
    assert answer["items"][1]["errors"][0]["found"] == "0"


async def test_staff_gets_its_space_and_climate_keeps_its_subject(http: httpx.AsyncClient, outgoing: Outgoing) -> None:
    items = [builders.staff(id=new_id(), under="x"), builders.climate(now().strftime("%G-W%V")) | {"id": new_id()}]
    assert statuses(await publish(http, items)) == ["accepted", "accepted"]
    [staff] = await outgoing.wait_for(items[0]["id"])
    assert (staff.routing_key, read_event(staff.body).subject) == ("staff.changed", "staff:test/kim")
    assert read_event(staff.body).under is None, "what a publisher says there is not ours"
    [climate] = await outgoing.wait_for(items[1]["id"])
    assert (climate.routing_key, read_event(climate.body).subject) == ("climate.reported", "group:NA25a")


async def test_an_enrolment_links_all_references_and_no_name_goes_out(
    http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    tag = new_id()
    by_id, by_grades = f"id:{tag}", f"id:grades-{tag}"
    national_id = "20080101" + "".join(str(ord(letter) % 10) for letter in tag[-4:])
    who = person(by_grades, national_id=national_id)
    items = [
        enrolment(by_id, data={"person": who, "turns_18_on": "2026-01-01"}),
        lesson(by_id),
        lesson(by_grades),
        lesson(f"civic:{national_id}"),
    ]
    assert statuses(await publish(http, items)) == ["accepted"] * 4
    later = lesson(by_grades)
    await publish(http, [later])
    subjects = {await subject_of(outgoing, item) for item in [*items, later]}
    assert len(subjects) == 1
    for item in items:
        body = outgoing.of(item["id"])[0].body
        for secret in ("Alva", "Lindqvist", national_id, by_grades, "person"):
            assert secret.encode() not in body
    [pseudonym] = subjects
    answer = await http.get(f"/internal/people/{pseudonym}", headers=AS_SERVICE)
    assert answer.json() == {
        "pseudonym": pseudonym,
        "authority": "2480",
        "protected": False,
        "given_name": "Alva",
        "family_name": "Lindqvist",
        "turns_18_on": "2026-01-01",
    }


async def test_references_of_two_known_students_are_not_linked(http: httpx.AsyncClient) -> None:
    first, second = new_id("id:first"), new_id("id:second")
    await publish(http, [lesson(first), lesson(second)])
    response = await publish(http, [enrolment(first, data={"person": person(second)})])
    assert response.status_code == 207
    [error] = response.json()["items"][0]["errors"]
    assert error == {
        "path": "$.data.person.references",
        "found": "references of different students",
        "expected": "references of one student",
    }


async def test_a_protected_persons_name_is_scrubbed_and_never_told(
    http: httpx.AsyncClient, outgoing: Outgoing, database: Database
) -> None:
    student = new_id("id:protected")
    before = enrolment(student, data={"person": person(), "revision": 1})
    after = enrolment(student, data={"person": person(), "revision": 2, "protected": True})
    late = enrolment(student, data={"person": person(), "revision": 1, "study_year": 2})
    for item in (before, after, late):
        assert statuses(await publish(http, [item])) == ["accepted"]
    pseudonym = await subject_of(outgoing, after)
    answer = await http.get(f"/internal/people/{pseudonym}", headers=AS_SERVICE)
    assert answer.json()["protected"] is True
    assert "Alva" not in answer.text
    assert "Alva" not in str(await database["people"].find_one({"_id": pseudonym}))
    assert "Alva" not in str(await database["events_archive"].find({"subject": pseudonym}).to_list(10))


async def test_one_reference_at_two_authorities_is_two_students(http: httpx.AsyncClient, outgoing: Outgoing) -> None:
    student = new_id("id:both")
    here, there = lesson(student), lesson(student, authority="1480")
    assert statuses(await publish(http, [here])) == ["accepted"]
    assert statuses(await publish(http, [there], token=TOKENS["1480"])) == ["accepted"]
    assert await subject_of(outgoing, here) != await subject_of(outgoing, there)


async def test_nobody_speaks_for_another_authority(http: httpx.AsyncClient) -> None:
    response = await publish(http, [lesson("id:x", authority="1480")])
    assert statuses(response) == ["rejected"]
    assert response.json()["items"][0]["errors"][0]["path"] == "$.authority"


async def test_names_need_the_service_token(http: httpx.AsyncClient) -> None:
    path = f"/internal/people/p_{'a' * 26}"
    for headers in ({}, {"Authorization": f"Bearer {TOKENS['2480']}"}):
        assert (await http.get(path, headers=headers)).status_code == 401
    answer = await http.get(path, headers=AS_SERVICE)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_outcomes_and_dropped_fields_are_counted(http: httpx.AsyncClient) -> None:
    async def counted(name: str) -> float:
        lines = (await http.get("/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    labels = 'authority="2480",'
    names = [
        f'kvar_ingest_events_total{{{labels}outcome="{outcome}",type="kvar.attendance.recorded.v1"}}'
        for outcome in ("accepted", "duplicate", "changed", "rejected")
    ] + [f'kvar_ingest_dropped_fields_total{{{labels}field="absencereason"}}']
    before = [await counted(name) for name in names]
    item = lesson("id:counted", data={"absence_reason": "x"})
    changed = item | {"data": item["data"] | {"minutes": 45}}
    await publish(http, [item, item, changed, lesson("id:counted", data={"minutes": 0})])
    after = [await counted(name) for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 1, 3]


async def test_the_log_names_nobody(stage: Stage, http: httpx.AsyncClient) -> None:
    student = new_id("id:logged")
    await publish(http, [enrolment(student, data={"person": person()}), lesson(student, data={"minutes": 0})])
    log = stage.log.read_text()
    assert '"ready"' in log
    for secret in (student, "Alva", "Lindqvist", "p_"):
        assert secret not in log
