"""Requests that cannot be taken as a whole: problem details that say what to do, and nothing accepted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from services.ingest import bodies
from tests.integration.ingest.stage import TOKENS, new_id, now, publish
from tests.unit.ingest.builders import attendance

pytestmark = pytest.mark.integration

GOOD = {"Authorization": f"Bearer {TOKENS['2480']}", "Content-Type": bodies.BATCH}

CASES: dict[str, tuple[dict[str, str], bytes, int]] = {
    "no token": ({"Authorization": ""}, b"[]", 401),
    "wrong token": ({"Authorization": "Bearer token-of-nobody-at-all"}, b"[]", 401),
    "another scheme": ({"Authorization": f"Basic {TOKENS['2480']}"}, b"[]", 401),
    "plain JSON": ({"Content-Type": "application/json"}, b"[]", 415),
    "compressed": ({"Content-Encoding": "gzip"}, b"[]", 415),
    "no JSON": ({}, b"[{", 400),
    "an object as batch": ({}, b"{}", 422),
    "10,001 items": ({}, b"[" + b"0," * 10_000 + b"0]", 413),
    "16 MiB and a byte": ({"Content-Type": bodies.LINES}, b"\n" * (bodies.MOST_BYTES + 1), 413),
}


@pytest.mark.parametrize(("headers", "body", "status"), CASES.values(), ids=CASES.keys())
async def test_is_refused_as_a_whole(
    http: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    response = await http.post("/v1/events", content=body, headers=GOOD | headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"


async def test_a_body_without_length_is_cut_off_at_the_limit(http: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"\n" * (1024 * 1024)

    response = await http.post("/v1/events", content=parts(), headers=GOOD | {"Content-Type": bodies.LINES})
    assert response.status_code == 413


async def test_a_wrong_parameter_is_a_problem(http: httpx.AsyncClient) -> None:
    response = await publish(http, [], items="some")
    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "query.items"


async def test_a_single_event_that_is_rejected_is_a_problem_with_its_faults(http: httpx.AsyncClient) -> None:
    item = attendance(now=now(), id=new_id(), data={"minutes": "60"})
    response = await publish(http, item, bodies.ONE)
    assert response.status_code == 422
    problem = response.json()
    assert problem["rejected"] == 1
    [error] = problem["items"][0]["errors"]
    assert error["path"] == "$.data.minutes"
    assert error["found"] == '"60"'


async def test_nothing_is_202(http: httpx.AsyncClient) -> None:
    response = await publish(http, [])
    assert response.status_code == 202
    assert response.json() == {"accepted": 0, "duplicate": 0, "rejected": 0, "items": []}


async def test_strange_values_are_rejections_and_not_errors_of_ours(http: httpx.AsyncClient) -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    when = now()
    items: list[Any] = [
        None,
        5,
        [],
        {},
        {"type": {}},
        attendance(now=when, id=new_id(), data={"deep": deep}),
        attendance(now=when, id=new_id(), data={"long": "x" * 300_000}),
        attendance("id:" + "x" * 201, now=when),
        attendance(now=when, id="\u0000", authority="\u0000"),
        attendance(now=when, id=new_id(), data={"revision": 2**63}),
        attendance(now=when, id=new_id(), data={"starts_at": "9999-12-31T23:59:59-12:00"}),
    ]
    response = await publish(http, json.dumps(items).encode())
    assert response.status_code == 207
    assert response.json()["rejected"] == len(items)


async def test_unknown_fields_of_any_kind_come_in(http: httpx.AsyncClient) -> None:
    item = attendance(now=now(), id=new_id("odd id"), data={"$x.y\u0000": 2**64 - 1, "z": 1e308})
    response = await publish(http, orjson.dumps([item]))
    assert response.status_code == 202


async def test_the_openapi_document_names_the_contracts(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    content = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert set(content) == set(bodies.CONTENT_TYPES)
    schemas = document["components"]["schemas"]
    references = {part.split('"')[0] for part in orjson.dumps(document).decode().split("#/components/schemas/")[1:]}
    assert references <= set(schemas)
    assert {"DoorEvent", "DoorAttendanceEvent", "Receipt", "ProblemDetails"} <= references
