"""Groups that worsen together and students of whom nothing is registered: as JSON and on the pages."""

from __future__ import annotations

import random
import re
from itertools import permutations

import pytest

from services.reporting.signals import SignalStore
from services.reporting.views import UnitKey
from shared import mongo
from shared.events import Level
from tests.integration.reporting.conftest import Publish, Reporting
from tests.unit.reporting.builders import FRIDAY, absence, enrolment, group_absence, pseudonym, risk, signal

pytestmark = pytest.mark.integration

A, B = UnitKey("2480", "A"), UnitKey("2480", "B")


def plain(page: str) -> str:
    return page.replace("\N{NO-BREAK SPACE}", " ")


async def test_the_newest_word_on_each_indicator_wins_whatever_the_order(database: mongo.Database) -> None:
    store = SignalStore(database)
    events = [
        signal("group:G", 1),
        signal("group:G", 2, "usual"),
        signal("group:G", 3, indicator="climate"),
        signal("group:G", 4, students=23),
    ]
    for order in permutations(events):
        await database["group_signals"].delete_many({})
        for event in [*order, random.choice(order)]:
            await store.keep(event)
        found = [(item.indicator, item.state, item.students) for item in await store.of(A)]
        assert found == [("absence", "worse", 23), ("climate", "worse", 24)]


async def test_one_code_at_two_units_is_two_groups(database: mongo.Database) -> None:
    store = SignalStore(database)
    events = [
        signal("group:NA25A", 7, unit="A"),
        signal("group:NA25A", 2, "usual", unit="B"),
        signal("group:NA25A", 1, unit="B"),
        signal("group:NA25A", 6, "usual", unit="A"),
    ]
    for order in permutations(events):
        await database["group_signals"].delete_many({})
        for event in order:
            await store.keep(event)
        states = {unit: [item.state for item in await store.of(unit)] for unit in (A, B)}
        assert states == {A: ["worse"], B: ["usual"]}
        assert await store.worse([A, B]) == {A: 1, B: 0}


async def test_a_units_signals_are_its_own_and_those_of_its_groups(reporting: Reporting, publish: Publish) -> None:
    elsewhere = signal("group:F", 1).model_copy(update={"authority": "0180"})
    await publish(
        *(enrolment(f"s{unit}", unit=unit) for unit in "AB"),
        signal("group:G", 1, "usual"),
        signal("group:H", 1),
        signal("unit:A", 1, indicator="climate", unit=None, numbers={"recent_mean": 3.1, "earlier_mean": 3.9}),
        signal("group:B", 1, unit="B"),
        signal("group:B", 2, "usual", unit="B"),
        elsewhere,
    )
    await reporting.settled_units()
    unit = await reporting.get("/v1/units/A")
    assert [(item["subject"], item["state"]) for item in unit["signals"]] == [
        ("unit:A", "worse"),
        ("group:H", "worse"),
        ("group:G", "usual"),
    ]
    assert (unit["signals"][1]["from"], unit["signals"][1]["to"]) == ("2026-10-05", "2026-11-20")
    assert unit["worse_signals"] == 2
    counts = {item["school_unit"]: item["worse_signals"] for item in (await reporting.get("/v1/units"))["units"]}
    assert counts == {"A": 2, "B": 0}


async def test_the_page_of_a_unit_tells_which_groups_worsen(reporting: Reporting, publish: Publish) -> None:
    await publish(enrolment("s"))
    await reporting.settled_units()
    assert "Ingen grupp får det svårare tillsammans just nu." in await reporting.page("/units/A")
    assert "Gruppsignaler" not in await reporting.page("/")
    await publish(signal("group:NA24B"), signal("group:NA24C", 1, "usual"))
    page = plain(await reporting.page("/units/A"))
    for text in (
        "generellt arbete i gruppen eller på skolan (trygghet, delaktighet, relationer)",
        "Grupp NA24B",
        "Frånvaro 14,2 % de senaste 10 skoldagarna mot 6,1 % de 20 före (övriga skolan 7,0 %)",
        "2026-10-05",
        "Åter som vanligt",
        "Grupp NA24C",
    ):
        assert text in page, text
    assert "Ingen grupp" not in page
    assert "Groups that worsen together" in await reporting.page("/units/A", lang="en")
    assert "Gruppsignaler: 1" in plain(await reporting.page("/"))


async def test_a_whole_groups_trouble_is_a_note_on_the_students_page(reporting: Reporting, publish: Publish) -> None:
    reasons = [group_absence(), absence()]
    await publish(enrolment("s"), risk("s", score=15, reasons=reasons), risk("only", reasons=[group_absence()]))
    await reporting.settled_units()
    page = plain(await reporting.page(f"/students/{pseudonym('s')}"))
    assert "Hela gruppen NA24B: frånvaro 14,2 %" in page
    assert "Ger inga poäng." in page
    assert '<td class="number">0</td>' not in page
    listed = (await reporting.page("/units/A")).split("<tr>")
    [row] = [row for row in listed if pseudonym("only") in row]
    assert "Hela gruppen" not in row
    student = await reporting.get(f"/v1/students/{pseudonym('s')}")
    assert [reason["indicator"] for reason in student["reasons"]] == ["total_absence"]
    assert student["group_reasons"][0]["group"] == "NA24B"


async def test_students_without_register_are_counted_marked_and_can_be_listed(
    reporting: Reporting, publish: Publish
) -> None:
    await publish(
        *(enrolment(name) for name in ("lost", "seen", "high")),
        risk("lost", stale_since=FRIDAY, stale_school_days=12),
        risk("seen"),
        risk("high", score=60, level=Level.INDIVIDUAL, stale_since=FRIDAY),
    )
    [unit] = await reporting.settled_units()
    assert unit["not_registered"] == 2
    listed = await reporting.get("/v1/students", school_unit="A", stale=True)
    assert [item["pseudonym"] for item in listed["students"]] == [pseudonym("high"), pseudonym("lost")]
    assert [item["stale_since"] for item in listed["students"]] == ["2026-11-20"] * 2
    assert [item["stale_school_days"] for item in listed["students"]] == [None, 12]
    only = await reporting.get("/v1/students", stale=True, level="individual")
    assert [item["pseudonym"] for item in only["students"]] == [pseudonym("high")]
    page = await reporting.page("/units/A")
    [address] = re.findall(r'href="([^"]+)">Bara utan registrering', page)
    filtered = await reporting.page(address.replace("&amp;", "&"))
    assert pseudonym("lost") in filtered
    assert pseudonym("seen") not in filtered
    student = await reporting.page(f"/students/{pseudonym('lost')}")
    assert "Inget är registrerat om eleven sedan 2026-11-20" in student
    assert "någon bör ta reda på varför" in student
    assert "Skolenheten har haft minst 12 skoldagar sedan dess" in plain(student)
    unknown = await reporting.page(f"/students/{pseudonym('high')}", lang="en")
    assert "has had as many school days as the authority&#39;s rules name" in unknown
    assert "så många av skolenhetens skoldagar som huvudmannens regler anger" in page
    assert "Inget är registrerat" not in await reporting.page(f"/students/{pseudonym('seen')}")


async def test_a_student_who_is_registered_again_leaves_the_list(reporting: Reporting, publish: Publish) -> None:
    await publish(enrolment("s"), risk("s", 1, stale_since=FRIDAY))
    assert [unit["not_registered"] for unit in await reporting.settled_units()] == [1]
    await publish(risk("s", 2))
    assert [unit["not_registered"] for unit in await reporting.settled_units()] == [0]
    assert (await reporting.get("/v1/students", school_unit="A", stale=True))["students"] == []
