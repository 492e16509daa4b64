"""`kvar student`: who a reference is, asked over the internal endpoint."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.integration.ingest.people import place
from tests.integration.ingest.stage import AS_PUBLISHER, Stage, kvar, new_id, publish, student_of

pytestmark = pytest.mark.integration


async def test_the_command_tells_who_a_reference_is(stage: Stage, http: httpx.AsyncClient) -> None:
    student = new_id("id:asked")
    await publish(http, [place(student, "sis", new_id("id:grades"), turns_18_on="2027-01-01")])
    where = ("--authority", "2480", "--source")
    by_name = await kvar(stage, "student", student, *where, "gradebook", "--json")
    told = json.loads(by_name.stdout)
    known = await student_of(http, student, "sis")
    assert told == known
    assert (told["space"], told["other_references"], told["protected"], told["given_name"]) == ("sis", 1, False, "Alva")
    shown = await kvar(stage, "student", student, *where, "/authorities/2480/systems/sis/schools/7")
    for part in (told["pseudonym"], "Alva Lindqvist", "sis", "2027-01-01", told["since"][:10]):
        assert part in shown.stdout


async def test_the_command_names_no_protected_student(stage: Stage, http: httpx.AsyncClient) -> None:
    student = new_id("id:protected")
    await publish(http, [place(student, protected=True, given_name="Alva")])
    shown = await kvar(stage, "student", student, "--authority", "2480", "--source", "test")
    assert "protected identity" in shown.stdout
    assert "Alva" not in shown.stdout
    known = await student_of(http, student)
    assert known is not None
    assert (known["protected"], known["given_name"], known["family_name"]) == (True, None, None)


@pytest.mark.parametrize(
    ("reference", "where", "complaint"),
    [
        pytest.param("id:nobody", "test", "nobody is known", id="an unknown reference"),
        pytest.param(
            "id:nobody", "/authorities/1480/systems/test", "source: the name", id="another authority's source"
        ),
        pytest.param("id:nobody", "a system", "source: the name of a system", id="no system"),
        pytest.param("nobody", "test", "query.reference", id="no reference"),
    ],
)
async def test_the_command_says_what_is_wrong(stage: Stage, reference: str, where: str, complaint: str) -> None:
    answer = await kvar(stage, "student", reference, "--authority", "2480", "--source", where)
    assert answer.returncode == 1
    assert complaint in answer.stderr


async def test_who_a_reference_is_needs_the_service_token(http: httpx.AsyncClient) -> None:
    query = {"authority": "2480", "source": "test", "reference": "id:1"}
    for headers in ({}, AS_PUBLISHER):
        assert (await http.get("/internal/students", params=query, headers=headers)).status_code == 401
