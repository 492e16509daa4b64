"""Who may say what, and about when: one table of refusals, one of what passes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ingest.checks import DEEPEST, check, clean
from shared.errors import Reject
from tests.unit.ingest.builders import NOW, attendance, climate, enrolment, event, grade, person, staff

STOCKHOLM = ZoneInfo("Europe/Stockholm")
OWN = frozenset({"2480"})


def starts(days: float) -> dict[str, Any]:
    return {"starts_at": (NOW + timedelta(days=days)).isoformat()}


def on(days: int) -> str:
    return (NOW.date() + timedelta(days=days)).isoformat()


ACCEPTED = {
    "attendance": attendance(),
    "attendance a year back": attendance(data=starts(-364.9)),
    "attendance of tomorrow": attendance(data=starts(0.9)),
    "grade": grade(),
    "grade a year back": grade(data={"recorded_on": on(-365)}),
    "grade of tomorrow": grade(data={"recorded_on": on(1)}),
    "enrolment": enrolment(),
    "enrolment of four years ago": enrolment(data={"starts_on": on(-4 * 365)}),
    "enrolment of next term": enrolment(data={"starts_on": on(60)}),
    "enrolment with a person": enrolment(data={"person": person("ss12000:" + "0" * 36, national_id="200801012384")}),
    "climate of last week": climate(),
    "climate of this week": climate("2026-W48"),
    "staff": staff(),
    "unknown fields and attributes": attendance(data={"room": "B12"}, partitionkey="x"),
}


@pytest.mark.parametrize("item", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_passes(item: dict[str, Any]) -> None:
    assert check(item, OWN, NOW, STOCKHOLM).id == "1"


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
    "another authority's source": (attendance(source="/authorities/1480/x"), "$.source", '"/authorities/1480/x"'),
    "source that only begins alike": (attendance(source="/authorities/24801/x"), "$.source", '"/authorities/24801/x"'),
    "white space in source": (attendance(source="/authorities/2480/a b"), "$.source", '"/authorities/2480/a b"'),
    "attendance too long ago": (attendance(data=starts(-366)), "$.data.starts_at", '"2025-11-22'),
    "attendance too far ahead": (attendance(data=starts(1.1)), "$.data.starts_at", '"2026-11-24'),
    "grade too long ago": (grade(data={"recorded_on": on(-366)}), "$.data.recorded_on", '"2025-11-22"'),
    "grade too far ahead": (grade(data={"recorded_on": on(2)}), "$.data.recorded_on", '"2026-11-25"'),
    "enrolment too long ago": (enrolment(data={"starts_on": on(-1465)}), "$.data.starts_on", '"2022-11-19"'),
    "climate too long ago": (climate("2025-W40"), "$.data.period", '"2025-W40"'),
    "climate of next month": (climate("2026-W52"), "$.data.period", '"2026-W52"'),
    "climate of a week that does not exist": (climate("2025-W53"), "$.data.period", '"2025-W53"'),
    "climate from four answers": (climate(answers=4), "$.data.answers", "4"),
}


@pytest.mark.parametrize(("item", "path", "found"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused_with_path_found_and_expected(item: Any, path: str, found: str) -> None:
    with pytest.raises(Reject) as refusal:
        check(item, OWN, NOW, STOCKHOLM)
    [fault] = [each for each in refusal.value.errors if each.path == path]
    assert fault.found.startswith(found)
    assert fault.expected


def test_a_date_is_a_date_in_the_authoritys_time_zone() -> None:
    late_in_utc = NOW.replace(hour=23, minute=30)
    item = grade(data={"recorded_on": "2026-11-25"})
    assert check(item, OWN, late_in_utc, STOCKHOLM).id == "1", "in Stockholm it is the 24th already"
    with pytest.raises(Reject):
        check(item, OWN, late_in_utc, ZoneInfo("UTC"))


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
    assert check(cleaned, OWN, NOW, STOCKHOLM).id == "1"


def test_deep_nesting_is_refused() -> None:
    nested: Any = "x"
    for _ in range(DEEPEST + 1):
        nested = {"inner": nested}
    with pytest.raises(Reject, match="nested"):
        clean(attendance(data={"deep": nested}))
