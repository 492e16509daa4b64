"""Who may say what, and about when: one table of refusals, one of what passes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ingest.checks import DEEPEST, check, clean
from services.ingest.spaces import Spaces
from shared.errors import Reject
from shared.events import DOOR_TYPES, DoorEnrolmentChanged
from tests.unit.ingest.builders import NOW, attendance, climate, enrolment, event, grade, person, source, staff

STOCKHOLM = ZoneInfo("Europe/Stockholm")
OWN = frozenset({"2480"})
SPACES = Spaces({"2480": {"marks": "sis"}}, {"2480": ["survey"]})
AHEAD = int((NOW + timedelta(days=1)).timestamp() * 1000)


def starts(days: float) -> dict[str, Any]:
    return {"starts_at": (NOW + timedelta(days=days)).isoformat()}


def on(days: int) -> str:
    return (NOW.date() + timedelta(days=days)).isoformat()


ACCEPTED = {
    "attendance": attendance(),
    "attendance a year back": attendance(data=starts(-364.9)),
    "attendance of tomorrow": attendance(data=starts(0.9)),
    "grade": grade(),
    "grade of seven years ago": grade(data={"recorded_on": on(-7 * 365)}),
    "grade of tomorrow": grade(data={"recorded_on": on(1)}),
    "enrolment": enrolment(),
    "a place that still holds after many years": enrolment(data={"starts_on": on(-20 * 365)}),
    "a place that is over for six years": enrolment(data={"starts_on": on(-9 * 365), "ends_on": on(-6 * 365)}),
    "a place that ended without a day": enrolment(data={"starts_on": on(-9 * 365), "status": "ended"}),
    "enrolment of next term": enrolment(data={"starts_on": on(60)}),
    "enrolment with a person": enrolment(
        data={"person": person("ss12000:0a6f3c1e-0000-0000-0000-0000000000ab", national_id="200801012384")}
    ),
    "climate of last week": climate(),
    "climate of this week": climate("2026-W48"),
    "staff": staff(),
    "a person with a family name alone": enrolment(data={"person": {"family_name": "Zahra"}}),
    "a person whose other name is empty": enrolment(data={"person": {"given_name": "Zahra", "family_name": " "}}),
    "a name with a zero-width joiner": enrolment(data={"person": {"given_name": "\u0645\u200c\u0631"}}),
    "a protected person without a name": enrolment(data={"protected": True, "person": {}}),
    "a source with a further path": attendance(source=source("sis") + "/schools/1"),
    "the own space named": enrolment(data={"coach": {"space": "test", "id": "staff:1"}}),
    "the space that the system was put into": enrolment(
        data={"coach": {"space": "sis", "id": "staff:1"}}, source=source("marks")
    ),
    "another space named with the right to": enrolment(
        data={
            "person": person({"space": "sis", "id": "id:1"}),
            "coaches": [{"space": "sis", "id": "staff:1"}, "staff:2"],
        },
        source=source("survey"),
    ),
    "a revision of a day ahead": staff(data={"revision": AHEAD}),
    "unknown fields and attributes": attendance(data={"room": "B12"}, partitionkey="x"),
}


@pytest.mark.parametrize("item", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_passes(item: dict[str, Any]) -> None:
    assert check(clean(item).item, OWN, NOW, STOCKHOLM, SPACES).id == "1"


REFUSED = {
    "no object": ("text", "$", '"text"'),
    "an array": ([attendance()], "$", "[{"),
    "unknown type": (event("homework.recorded", "id:1", {}), "$.type", '"kvar.homework.recorded.v1"'),
    "no id": (attendance(id=None), "$.id", "nothing"),
    "no data": (attendance() | {"data": None}, "$.data", "null"),
    "a pseudonym as subject": (attendance("p_" + "a" * 26), "$.subject", '"p_aaaa'),
    "a text as minutes": (attendance(data={"minutes": "60"}), "$.data.minutes", '"60"'),
    "no minutes": (attendance(data={"minutes": 0}), "$.data.minutes", "0"),
    "more absence than lesson": (attendance(data={"unexcused_minutes": 61}), "$.data.unexcused_minutes", "61"),
    "another authority": (attendance(authority="1480"), "$.authority", '"1480"'),
    "another authority's source": (attendance(source=source("x", "1480")), "$.source", '"/authorities/1480/'),
    "source that only begins alike": (attendance(source=source("x", "24801")), "$.source", '"/authorities/24801/'),
    "source without a system": (attendance(source="/authorities/2480/x"), "$.source", '"/authorities/2480/x"'),
    "source without a system's name": (attendance(source=source("")), "$.source", '"/authorities/2480/systems/"'),
    "a system's name with other letters": (attendance(source=source("skå")), "$.source", '"/authorities/2480/'),
    "a system's name too long": (attendance(source=source("x" * 65)), "$.source", '"/authorities/2480/'),
    "white space in source": (attendance(source=source("a b")), "$.source", '"/authorities/2480/systems/a b"'),
    "white space in a source's path": (attendance(source=source("a/b c")), "$.source", '"/authorities/2480/'),
    "attendance too long ago": (attendance(data=starts(-366)), "$.data.starts_at", '"2025-11-22'),
    "attendance too far ahead": (attendance(data=starts(2)), "$.data.starts_at", '"2026-11-25'),
    "grade too long ago": (grade(data={"recorded_on": on(-2600)}), "$.data.recorded_on", '"2019-10-'),
    "grade too far ahead": (grade(data={"recorded_on": on(2)}), "$.data.recorded_on", '"2026-11-25"'),
    "a place that is over for eight years": (
        enrolment(data={"starts_on": on(-9 * 365), "ends_on": on(-8 * 365)}),
        "$.data.ends_on",
        '"2018-11-',
    ),
    "a place that ended eight years ago without a day": (
        enrolment(
            data={"starts_on": on(-9 * 365), "status": "ended"}, time=(NOW - timedelta(days=8 * 365)).isoformat()
        ),
        "$.time",
        '"2018-11-',
    ),
    "a place that ended in the far future": (
        enrolment(data={"status": "ended"}, time="9999-12-31T23:59:59-12:00"),
        "$.time",
        '"9999-12-31',
    ),
    "a place of the year after next": (enrolment(data={"starts_on": on(400)}), "$.data.starts_on", '"2027-12-'),
    "a person without a name": (
        enrolment(data={"person": person("id:2", given_name="", family_name=None)}),
        "$.data.person.family_name",
        "null",
    ),
    "a control character in a name": (
        enrolment(data={"person": person(given_name="A\x07")}),
        "$.data.person.given_name",
        '"A',
    ),
    "a line in a coach's name": (staff(data={"name": "Kim\nEk"}), "$.data.name", '"Kim'),
    "a blank as a coach's name": (staff(data={"name": " "}), "$.data.name", '" "'),
    "a reference of a wrong kind": (
        enrolment(data={"person": person("nr:1")}),
        "$.data.person.references[0]",
        '"nr:1"',
    ),
    "a number as a reference": (enrolment(data={"person": {"references": [5]}}), "$.data.person.references[0]", "5"),
    "a named space without an id": (enrolment(data={"coach": {"space": "sis"}}), "$.data.coach.id", "nothing"),
    "a named space of a wrong kind": (
        enrolment(data={"coaches": [{"space": "a/b", "id": "staff:1"}]}),
        "$.data.coaches[0].space",
        '"a/b"',
    ),
    "a coach's id too long": (enrolment(data={"coach": "staff:" + "x" * 201}), "$.data.coach", '"staff:x'),
    "another space of a coach": (
        enrolment(data={"coach": {"space": "sis", "id": "staff:1"}}),
        "$.data.coach.space",
        '"sis"',
    ),
    "another space of a second coach": (
        enrolment(data={"coaches": ["staff:2", {"space": "sis", "id": "staff:1"}]}),
        "$.data.coaches[1].space",
        '"sis"',
    ),
    "another space of a reference": (
        enrolment(data={"person": person("id:2", {"space": "sis", "id": "id:1"})}),
        "$.data.person.references[1].space",
        '"sis"',
    ),
    "the system's own name where it was put into a space": (
        enrolment(data={"coach": {"space": "marks", "id": "staff:1"}}, source=source("marks")),
        "$.data.coach.space",
        '"marks"',
    ),
    "climate too long ago": (climate("2025-W40"), "$.data.period", '"2025-W40"'),
    "climate of next month": (climate("2026-W52"), "$.data.period", '"2026-W52"'),
    "climate of a week that does not exist": (climate("2025-W53"), "$.data.period", '"2025-W53"'),
    "climate from four answers": (climate(answers=4), "$.data.answers", "4"),
}


FACTS: dict[str, Callable[..., dict[str, Any]]] = {
    "attendance": attendance,
    "grade": grade,
    "enrolment": enrolment,
    "staff": staff,
    "climate": lambda data: climate(**data),
}


def test_every_type_of_fact_is_among_them() -> None:
    assert {make(data={})["type"] for make in FACTS.values()} == set(DOOR_TYPES)


@pytest.mark.parametrize("make", FACTS.values(), ids=FACTS.keys())
def test_a_revision_in_the_future_is_refused_of_every_fact(make: Callable[..., dict[str, Any]]) -> None:
    assert check(make(data={"revision": AHEAD}), OWN, NOW, STOCKHOLM, SPACES)
    for revision in (AHEAD + 1, int(NOW.timestamp() * 1_000_000)):
        with pytest.raises(Reject) as refusal:
            check(make(data={"revision": revision}), OWN, NOW, STOCKHOLM, SPACES)
        [fault] = refusal.value.errors
        assert (fault.path, fault.found) == ("$.data.revision", str(revision))
        assert "future" in fault.expected


CODES = {
    "a school unit": (lambda code: attendance(data={"school_unit": code}), "$.data.school_unit"),
    "a lesson": (lambda code: attendance(data={"lesson": code}), "$.data.lesson"),
    "a group of a lesson": (lambda code: attendance(data={"group": code}), "$.data.group"),
    "a group": (lambda code: enrolment(data={"groups": ["NA1", code]}), "$.data.groups[1]"),
    "a course": (lambda code: grade(data={"course": code}), "$.data.course"),
    "a subject of a course": (lambda code: grade(data={"subject": code}), "$.data.subject"),
    "a replaced course": (lambda code: grade(data={"replaces": [code]}), "$.data.replaces[0]"),
    "a scope": (lambda code: staff(data={"scope": [code]}), "$.data.scope[0]"),
    "a reference": (lambda code: attendance(f"id:{code}"), "$.subject"),
    "a further reference": (
        lambda code: enrolment(data={"person": person(f"id:{code}")}),
        "$.data.person.references[0]",
    ),
    "a staff id": (lambda code: staff(f"staff:{code}"), "$.subject"),
    "a coach": (lambda code: enrolment(data={"coach": f"staff:{code}"}), "$.data.coach"),
    "a second coach": (lambda code: enrolment(data={"coaches": [f"staff:{code}"]}), "$.data.coaches[0]"),
    "a coach of a named space": (
        lambda code: enrolment(data={"coach": {"space": "test", "id": f"staff:{code}"}}),
        "$.data.coach.id",
    ),
    "an event's id": (lambda code: attendance(id=code), "$.id"),
}


@pytest.mark.parametrize("code", ["U1\r", " U1", "U1 ", "U\x001", "U\u200b1"])
@pytest.mark.parametrize(("make", "path"), CODES.values(), ids=CODES.keys())
def test_codes_hold_nothing_that_cannot_be_seen(make: Callable[[str], dict[str, Any]], path: str, code: str) -> None:
    assert check(make("U1"), OWN, NOW, STOCKHOLM, SPACES)
    with pytest.raises(Reject) as refusal:
        check(make(code), OWN, NOW, STOCKHOLM, SPACES)
    assert [fault.path for fault in refusal.value.errors] == [path]


def test_two_spellings_of_one_name_are_one() -> None:
    item = enrolment("id:A\u030as", data={"person": person(given_name=" A\u030asa ", family_name="")})
    event = check(item, OWN, NOW, STOCKHOLM, SPACES)
    assert event.subject == "id:\u00c5s"
    assert isinstance(event.data, DoorEnrolmentChanged)
    assert event.data.person is not None
    assert (event.data.person.given_name, event.data.person.family_name) == ("\u00c5sa", None)


@pytest.mark.parametrize(("item", "path", "found"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused_with_path_found_and_expected(item: Any, path: str, found: str) -> None:
    with pytest.raises(Reject) as refusal:
        check(item, OWN, NOW, STOCKHOLM, SPACES)
    [fault] = [each for each in refusal.value.errors if each.path == path]
    assert fault.found.startswith(found)
    assert fault.expected


def test_a_date_is_a_date_in_the_authoritys_time_zone() -> None:
    late_in_utc = NOW.replace(hour=23, minute=30)
    item = grade(data={"recorded_on": "2026-11-25"})
    assert check(item, OWN, late_in_utc, STOCKHOLM, SPACES).id == "1", "in Stockholm it is the 24th already"
    with pytest.raises(Reject):
        check(item, OWN, late_in_utc, ZoneInfo("UTC"), SPACES)


@pytest.mark.parametrize(
    "name", ["reason", "cause", "absenceReason", "absence_reason", "AbsenceCause", "comment", "frånvaroorsak"]
)
def test_forbidden_fields_are_dropped_wherever_they_are(name: str) -> None:
    item = attendance(data={name: "migraine", "details": [{name: "migraine", "kept": 1}]}) | {name: "migraine"}
    cleaned = clean(item)
    assert cleaned.item == attendance(data={"details": [{"kept": 1}]})
    assert len(cleaned.dropped) == 3
    assert "migraine" not in str(cleaned.dropped)


def test_what_only_sounds_forbidden_stays() -> None:
    item = enrolment(data={"status": "ended", "end_reason": "diploma"})
    assert clean(item).item == item


def test_names_of_a_protected_person_are_masked_before_anything_is_kept() -> None:
    item = enrolment(data={"protected": True, "person": person("id:2")})
    cleaned = clean(item).item
    assert "Alva" not in str(cleaned)
    assert "Lindqvist" not in str(cleaned)
    assert check(cleaned, OWN, NOW, STOCKHOLM, SPACES).id == "1"


def test_deep_nesting_is_refused() -> None:
    nested: Any = "x"
    for _ in range(DEEPEST + 1):
        nested = {"inner": nested}
    with pytest.raises(Reject, match="nested"):
        clean(attendance(data={"deep": nested}))


def test_long_names_of_fields_are_not_remembered() -> None:
    """They are the publisher's choice: as many as may be remembered, of the longest, were nine gigabytes."""
    tracemalloc.start()
    for number in range(20):
        clean({f"{number}{'x' * 200_000}\N{SNOWMAN}": 1})
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


def test_a_long_name_is_forbidden_as_a_short_one_is() -> None:
    assert clean({"data": {"Re" + "_" * 1000 + "ason": "x"}}).item == {"data": {}}
