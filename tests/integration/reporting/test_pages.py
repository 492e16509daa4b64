"""The pages as a person gets them, and the headers around them."""

from __future__ import annotations

import re

import pytest

from shared.events import Level
from tests.integration.reporting.conftest import Publish, Reporting
from tests.unit.reporting.builders import absence, climate, enrolment, pseudonym, risk

pytestmark = pytest.mark.integration

HOSTILE = "<script>alert(1)</script>"


async def test_a_new_installation_says_that_nothing_has_happened_yet(reporting: Reporting) -> None:
    page = await reporting.page("/")
    assert "Inga händelser ännu" in page
    assert '<html lang="sv">' in page
    assert "No events yet" in await reporting.page("/", lang="en")


async def test_the_way_from_the_units_to_the_student(reporting: Reporting, publish: Publish) -> None:
    await publish(
        enrolment("s", unit="Åsö 1/2", groups=["NA24Ö"]),
        risk("s", 2, score=31, level=Level.TARGETED, reasons=[absence()]),
        climate("group:NA24Ö"),
    )
    await reporting.settled_units()
    start = await reporting.page("/")
    [address] = re.findall(r'href="(/units/[^"]+)"', start)
    assert address == "/units/%C3%85s%C3%B6%201%2F2?authority=2480"
    unit = await reporting.page(address)
    assert "Åsö 1/2" in unit
    assert "NA24Ö" in unit
    assert "Trygghet" in unit
    assert "Total frånvaro 17,6\u00a0% de senaste" in unit
    student = await reporting.page(f"/students/{pseudonym('s')}")
    for text in ("Riktad", "1\u00a0060 av 6\u00a0000", "2026-10-19", "2026-11-20", "points-1", "Åsö 1/2"):
        assert text in student, text
    english = await reporting.page(f"/students/{pseudonym('s')}", lang="en")
    assert '<html lang="en">' in english
    assert "Total absence 17.6% over the last" in english


async def test_hostile_codes_are_shown_as_text(reporting: Reporting, publish: Publish) -> None:
    await publish(
        enrolment("s", unit=HOSTILE, groups=[HOSTILE, '" onclick="x']),
        risk("s", reasons=[absence().model_copy(update={"points": 0, "group": HOSTILE})]),
        climate(f"group:{HOSTILE}"),
    )
    await reporting.settled_units()
    start = await reporting.page("/")
    [address] = re.findall(r'href="(/units/[^"]+)"', start)
    for page in (start, await reporting.page(address), await reporting.page(f"/students/{pseudonym('s')}")):
        assert "<script" not in page.lower()
        assert "&lt;script&gt;" in page
        assert 'onclick="x' not in page


async def test_a_unit_that_forgets_to_register_is_called_out_of_date_in_words(
    reporting: Reporting, publish: Publish
) -> None:
    await publish(
        risk("s", unit="A"), risk("t", unit="B", fresh_until=absence().first_day), risk("u", unit="C", fresh_until=None)
    )
    await reporting.settled_units()
    rows = {unit: row for row in (await reporting.page("/")).split("<tr>") for unit in "ABC" if f">{unit}</a>" in row}
    assert "Inaktuell" not in rows["A"]
    assert "2026-10-19" in rows["B"]
    assert "24\u00a0vardagar efter" in rows["B"]
    assert "Inaktuell" in rows["B"]
    assert "aldrig" in rows["C"]
    assert "Inaktuell" in rows["C"]


async def test_the_list_of_a_unit_goes_on_over_pages(reporting: Reporting, publish: Publish) -> None:
    await publish(*(risk(f"s{n}") for n in range(60)))
    await reporting.settled_units()
    first = await reporting.page("/units/A")
    [address] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = await reporting.page(address.replace("&amp;", "&"))
    found = [set(re.findall(r"/students/(p_\w+)", page)) for page in (first, second)]
    assert [len(page) for page in found] == [50, 10]
    assert not found[0] & found[1]
    assert 'rel="next"' not in second
    assert "Till första sidan" in second


async def test_an_unknown_student_gets_a_page_and_not_json(reporting: Reporting) -> None:
    answer = await reporting.client.get(f"/students/{pseudonym('nobody')}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Finns inte" in answer.text


async def test_personal_pages_are_stored_nowhere_and_load_nothing_from_elsewhere(
    reporting: Reporting, publish: Publish
) -> None:
    await publish(risk("s"))
    await reporting.settled_units()
    for path in ("/", "/units/A", f"/students/{pseudonym('s')}", "/students/none"):
        answer = await reporting.client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text)
        assert " style=" not in answer.text


async def test_the_style_sheet_may_be_kept(reporting: Reporting) -> None:
    [address] = re.findall(r'rel="stylesheet" href="([^"]+)"', await reporting.page("/"))
    answer = await reporting.client.get(address)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "/units/a%0Ab", "/units/a//evil.example"])
async def test_the_link_to_the_other_language_leads_nowhere_else(reporting: Reporting, path: str) -> None:
    for auth in (None, reporting.client.auth):
        answer = await reporting.client.get(f"http://kvar.test{path}", params={"level": "universal"}, auth=auth)
        assert answer.status_code in {401, 404, 422}
        [address] = re.findall(r'<a class="language"[^>]* href="([^"]+)"', answer.text)
        assert address == "?level=universal&amp;lang=en"
