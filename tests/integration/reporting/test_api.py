"""The JSON interface as a program sees it: who may look, paging, errors, documentation."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from shared.events import Level
from tests.integration.reporting.conftest import PASSWORD, Publish, Reporting, eventually
from tests.unit.reporting.builders import FRIDAY, enrolment, pseudonym, risk

pytestmark = pytest.mark.integration

OPEN = {"/health/live", "/health/ready", "/metrics", "/static/kvar.css"}
DOCUMENTATION = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
GAUGE = "kvar_unit_fresh_until_timestamp_seconds"


def paths_of(reporting: Reporting) -> list[str]:
    found = []
    for route in reporting.app.routes:
        path: str | None = getattr(route, "path", None)
        if path is not None and path not in OPEN | DOCUMENTATION:
            found.append(path.replace("{code:path}", "A").replace("{pseudonym}", pseudonym("s")))
    return found


async def test_every_route_with_students_or_units_asks_for_the_password(reporting: Reporting, publish: Publish) -> None:
    await publish(enrolment("s"))
    await reporting.settled_units()
    schema = await reporting.get("/openapi.json")
    paths = {"/", "/units/A", f"/students/{pseudonym('s')}", *paths_of(reporting)} | {
        path.replace("{code}", "A").replace("{pseudonym}", pseudonym("s"))
        for path in schema["paths"]
        if path not in OPEN
    }
    assert {"/", "/units/A", "/v1/units", "/v1/units/A", "/v1/students"} <= paths
    wrong = [None, ("kvar", "wrong"), ("kvar", ""), ("admin", PASSWORD), ("", "")]
    for path in sorted(paths):
        assert (await reporting.client.get(path)).status_code == 200, path
        for credentials in wrong:
            headers = {} if credentials is None else {"Authorization": basic(*credentials)}
            async with httpx.AsyncClient(
                transport=reporting.client._transport, base_url="http://kvar.test", headers=headers
            ) as stranger:
                answer = await stranger.get(path)
            assert answer.status_code == 401, (path, credentials)
            assert answer.headers["www-authenticate"].startswith("Basic ")
            assert pseudonym("s") not in answer.text.replace(path, "")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_pages_of_students_hold_each_once_and_the_most_at_risk_first(
    reporting: Reporting, publish: Publish
) -> None:
    levels = [Level.UNIVERSAL, Level.TARGETED, Level.INDIVIDUAL]
    await publish(
        *(risk(f"s{n}", score=n * 3 % 100, level=levels[n % 3]) for n in range(37)),
        *(enrolment(f"unscored{n}") for n in range(5)),
        risk("elsewhere", unit="B"),
    )
    await reporting.settled_units()
    seen: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(20):
        page = await reporting.get("/v1/students", school_unit="A", limit=7, **after)
        assert len(page["students"]) <= 7
        seen += page["students"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len({item["pseudonym"] for item in seen}) == len(seen) == 42
    ranks = {"individual": 2, "targeted": 1, "universal": 0, None: -1}
    needs = [(-ranks[item["level"]], -(item["score"] or 0), item["pseudonym"]) for item in seen]
    assert needs == sorted(needs)


async def test_students_can_be_asked_for_by_level_and_status(reporting: Reporting, publish: Publish) -> None:
    await publish(
        risk("calm"),
        risk("high", score=60, level=Level.INDIVIDUAL),
        enrolment("gone", status="ended"),
        enrolment("new"),
    )

    async def names(**query: str) -> list[str]:
        return [item["pseudonym"] for item in (await reporting.get("/v1/students", **query))["students"]]

    assert await names(level="individual") == [pseudonym("high")]
    assert await names(level="universal") == [pseudonym("calm")]
    assert await names(level="targeted") == []
    assert await names(level="without_data") == [pseudonym("new")]
    assert await names(status="ended") == [pseudonym("gone")]
    assert await names() == [pseudonym("high"), pseudonym("calm"), pseudonym("new")]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v1/units/none", 404, id="unknown unit"),
        pytest.param("/v1/units/", 422, id="no code"),
        pytest.param(f"/v1/students/{pseudonym('nobody')}", 404, id="unknown student"),
        pytest.param("/v1/students?school_unit=none", 404, id="students of an unknown unit"),
        pytest.param("/v1/nothing", 404, id="unknown path"),
        pytest.param("/v1/students?after=zzz", 422, id="no cursor"),
        pytest.param("/v1/students?limit=0", 422, id="limit too small"),
        pytest.param("/v1/students?limit=501", 422, id="limit too large"),
        pytest.param("/v1/students?level=high", 422, id="unknown level"),
        pytest.param("/v1/students?after=٠٠٠٠" + pseudonym("s"), 422, id="cursor of other digits"),
        pytest.param("/v1/students?authority=a%2Fb", 422, id="no authority"),
        pytest.param("/v1/students?school_unit=a%00b", 422, id="control character"),
        pytest.param("/v1/students/p_1", 422, id="no pseudonym"),
        pytest.param("/v1/units/" + "x" * 129, 422, id="code too long"),
    ],
)
async def test_an_error_is_a_problem(reporting: Reporting, path: str, status: int) -> None:
    answer = await reporting.client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() - {"errors"} == {"type", "title", "status", "detail"}
    assert answer.json()["status"] == status
    assert answer.headers["cache-control"] == "no-store"


async def test_a_code_that_two_authorities_use_needs_the_authority(reporting: Reporting, publish: Publish) -> None:
    await publish(enrolment("here"), enrolment("there", authority="0180"), enrolment("more", authority="0180"))
    await reporting.settled_units()
    assert (await reporting.client.get("/v1/units/A")).status_code == 409
    assert (await reporting.get("/v1/units/A", authority="0180"))["active"] == 2
    students = await reporting.get("/v1/students", school_unit="A", authority="2480")
    assert [item["pseudonym"] for item in students["students"]] == [pseudonym("here")]


async def test_the_freshness_gauge_follows_the_database_and_survives_a_restart(
    reporting: Reporting, publish: Publish, replica: Callable[[], AbstractAsyncContextManager[Reporting]]
) -> None:
    await publish(risk("s", unit="Ö1"), enrolment("unscored", unit="Z1"))
    await reporting.settled_units()
    async with replica():

        async def value() -> float | None:
            return REGISTRY.get_sample_value(GAUGE, {"authority": "2480", "school_unit": "Ö1"})

        # 2026-11-20 begins in Stockholm one hour before it does in UTC.
        assert await eventually(value, "the gauge is set") == 1795132800 - 3600
    assert REGISTRY.get_sample_value(GAUGE, {"authority": "2480", "school_unit": "Z1"}) is None
    assert FRIDAY.isoformat() == "2026-11-20"


async def test_the_description_of_the_interface_is_complete(reporting: Reporting) -> None:
    schema = await reporting.get("/openapi.json")
    operations = [
        operation for path, item in schema["paths"].items() if path.startswith("/v1") for operation in item.values()
    ]
    assert len(operations) == 4
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert operation["security"] == [{"HTTPBasic": []}]
        assert {"200", "401", "503"} <= operation["responses"].keys()
    for name in ("Unit", "StudentSummary", "Student", "ReasonShown"):
        assert schema["components"]["schemas"][name]["properties"]
