"""Where students stand as days pass: lists, counts and pages over the real database, and the round that moves them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date, timedelta
from typing import Any

import pytest

from services.reporting import daily
from services.reporting.daily import Mover
from services.reporting.handlers import StudentWriter
from services.reporting.store import StudentStore, UnitStore
from services.reporting.views import UnitKey
from shared import mongo
from tests.integration.reporting.conftest import Publish, Reporting, Today, eventually
from tests.unit.reporting.builders import FRIDAY, MONDAY, clock_at, enrolment, noon, pseudonym, risk

pytestmark = pytest.mark.integration

AUGUST = date(2027, 8, 16)
COUNTED = ("active", "paused", "ended", "upcoming")


@pytest.fixture
def own(database: mongo.Database) -> mongo.Database:
    """A database where nothing runs but what the test starts."""
    return database.client[f"reporting_{secrets.token_hex(6)}"]


async def counts(reporting: Reporting) -> dict[str | None, list[int]]:
    units = await reporting.settled_units()
    return {unit["school_unit"]: [unit[name] for name in COUNTED] for unit in units}


async def listed(reporting: Reporting, **query: Any) -> list[str]:
    return [item["pseudonym"] for item in (await reporting.get("/v1/students", **query))["students"]]


async def test_next_years_students_stand_in_a_list_of_their_own(reporting: Reporting, publish: Publish) -> None:
    await publish(
        enrolment("new", unit="B", starts_on=AUGUST),
        enrolment("moves"),
        enrolment("moves", unit="B", starts_on=AUGUST),
        enrolment("stays"),
    )
    assert await counts(reporting) == {"A": [2, 0, 0, 0], "B": [0, 0, 0, 2]}
    assert await listed(reporting, school_unit="B") == []
    assert set(await listed(reporting, school_unit="B", status="upcoming")) == {pseudonym("new"), pseudonym("moves")}
    assert await listed(reporting, status="upcoming") == [pseudonym("new")]
    page = await reporting.page("/units/B")
    assert "Inga elever i den här listan." in page
    assert "Inaktuell</strong>" not in page
    assert pseudonym("new") in await reporting.page("/units/B", status="upcoming")
    assert "Ingen elev har en plats som börjar senare." in await reporting.page("/units/A", status="upcoming")
    assert "No student has a place that begins later." in await reporting.page("/units/A", status="upcoming", lang="en")
    student = await reporting.page(f"/students/{pseudonym('new')}")
    assert "börjar senare" in student
    assert "2027-08-16" in student


async def test_a_guest_stands_in_both_units_and_belongs_to_the_own(reporting: Reporting, publish: Publish) -> None:
    await publish(
        enrolment("s", groups=["NA24B"]),
        enrolment("s", unit="B", groups=["SPA2"], main=False, starts_on=date(2026, 10, 1)),
    )
    assert await counts(reporting) == {"A": [1, 0, 0, 0], "B": [1, 0, 0, 0]}
    student = await reporting.get(f"/v1/students/{pseudonym('s')}")
    assert (student["school_unit"], student["groups"]) == ("A", ["NA24B"])
    assert [(item["school_unit"], item["main"]) for item in student["enrolments"]] == [("A", True), ("B", False)]
    guest = await reporting.page("/units/B")
    assert "SPA2" in guest
    assert "NA24B" not in guest
    assert "kurs vid en annan skola" in await reporting.page(f"/students/{pseudonym('s')}")


async def test_a_move_shows_on_its_day_and_counts_follow(
    reporting: Reporting, publish: Publish, today: Today, replica: Callable[[], AbstractAsyncContextManager[Reporting]]
) -> None:
    today.day = FRIDAY
    await publish(
        enrolment("s", ends_on=FRIDAY, groups=["OLD"]),
        enrolment("s", unit="B", starts_on=MONDAY, groups=["NEW"]),
        enrolment("left", ends_on=FRIDAY),
        enrolment("stays"),
        risk("s", unit="A"),
    )
    assert await counts(reporting) == {"A": [3, 0, 0, 0], "B": [0, 0, 0, 1]}
    saturday = FRIDAY + timedelta(1)
    expected = {
        saturday: ({"A": [1, 0, 2, 0], "B": [0, 0, 0, 1]}, ("A", "ended")),
        MONDAY: ({"A": [1, 0, 2, 0], "B": [1, 0, 0, 0]}, ("B", "active")),
        AUGUST: ({"A": [1, 0, 2, 0], "B": [1, 0, 0, 0]}, ("B", "active")),
    }
    async with replica():
        for day, (numbers, own) in expected.items():
            today.day = day
            student = await reporting.get(f"/v1/students/{pseudonym('s')}")
            assert (student["school_unit"], student["status"]) == own, "at once, whatever the round has done"

            async def moved(numbers: Any = numbers) -> bool | None:
                return True if await counts(reporting) == numbers else None

            await eventually(moved, f"the units count as of {day}")
    assert await listed(reporting, school_unit="B") == [pseudonym("s")]
    assert set(await listed(reporting, school_unit="A", status="ended")) == {pseudonym("s"), pseudonym("left")}


async def test_a_student_written_meanwhile_loses_nothing_to_the_round(own: mongo.Database) -> None:
    students, units = StudentStore(own), UnitStore(own)
    names = [f"s{n}" for n in range(60)]
    places = [enrolment(name, ends_on=FRIDAY) for name in names]
    await StudentWriter(students, units, clock_at(FRIDAY)).process(list(places))
    monday = clock_at(MONDAY)
    await asyncio.gather(
        *(Mover(StudentStore(own), UnitStore(own), monday).move_due() for _ in range(3)),
        *(StudentWriter(students, units, monday).process([risk(name, 9)]) for name in names),
    )
    assert await students.due(monday.day, 100) == []
    documents = await own["student_views"].find({}).to_list(None)
    assert len(documents) == 60
    assert all(item["lists"] == ["ended", "ended 2480/A"] for item in documents)
    assert all(item["risk"]["revision"] == 9 for item in documents)


async def test_the_round_takes_some_at_a_time_and_never_the_same_again(
    own: mongo.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily, "MOVED_TOGETHER", 7)
    students, units = StudentStore(own), UnitStore(own)
    await students.ensure_indexes()
    await StudentWriter(students, units, clock_at(FRIDAY)).process(
        [
            *(enrolment(f"s{n}", ends_on=FRIDAY) for n in range(20)),
            *(enrolment(f"t{n}") for n in range(20)),
            *(enrolment(f"u{n}", ends_on=AUGUST) for n in range(20)),
        ]
    )
    assert len(await students.due(MONDAY.toordinal(), 100)) == 20
    assert len(await students.due(MONDAY.toordinal(), 7)) == 7
    revs = {item["_id"]: item["rev"] for item in await own["student_views"].find({}).to_list(None)}
    left = []
    for _ in range(5):
        await Mover(students, units, clock_at(MONDAY)).move_due()
        left.append(len(await students.due(MONDAY.toordinal(), 100)))
    assert left == [13, 6, 0, 0, 0]
    after = {item["_id"]: item["rev"] for item in await own["student_views"].find({}).to_list(None)}
    assert {name for name in after if after[name] != revs[name]} == {pseudonym(f"s{n}") for n in range(20)}
    assert all(after[pseudonym(f"s{n}")] == 2 for n in range(20))
    assert [mark.unit for mark in await units.marked()] == [UnitKey("2480", "A")]


async def test_who_is_due_is_found_by_an_index(own: mongo.Database) -> None:
    await StudentStore(own).ensure_indexes()
    plan = await own["student_views"].find({"next_change": {"$gt": 0, "$lte": 1}}).explain()
    assert "next_change" in str(plan["queryPlanner"]["winningPlan"]), plan
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), plan


async def test_a_protected_students_place_ends_on_its_day_too(
    reporting: Reporting, publish: Publish, today: Today, database: mongo.Database
) -> None:
    await publish(
        enrolment("s", unit="SECRET", starts_on=date(2026, 8, 20), groups=["HIDDEN"]),
        enrolment(
            "s", 2, unit="SECRET", starts_on=date(2026, 8, 17), ends_on=MONDAY, protected=True, groups=["HIDDEN"]
        ),
        risk("s", unit="SECRET", groups=["HIDDEN"]),
    )
    assert await counts(reporting) == {None: [1, 0, 0, 0]}
    today.day = MONDAY + timedelta(1)

    async def ended() -> bool | None:
        return True if await counts(reporting) == {None: [0, 0, 1, 0]} else None

    await eventually(ended, "the protected student has left")
    student = await reporting.get(f"/v1/students/{pseudonym('s')}")
    assert (student["status"], student["school_unit"], student["enrolments"]) == ("ended", None, [])


async def test_ended_without_a_day_ends_with_the_day_on_which_it_was_told(
    reporting: Reporting, publish: Publish
) -> None:
    await publish(
        enrolment("friday", status="ended"),
        enrolment("today", status="ended", time=noon(MONDAY)),
        enrolment("passed", ends_on=FRIDAY),
    )
    assert await counts(reporting) == {"A": [1, 0, 2, 0]}
    student = await reporting.get(f"/v1/students/{pseudonym('today')}")
    assert (student["status"], student["enrolments"][0]["ends_on"]) == ("active", "2026-11-23")
