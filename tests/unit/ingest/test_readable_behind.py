"""What the door lets in is readable behind it, whatever Unicode makes of its letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import checks
from services.ingest.identities import Entrant, Identified
from services.ingest.intake import Candidate, _archived
from services.ingest.spaces import Spaces, staff_id
from shared.errors import Reject
from shared.events import StaffChanged, read_event
from tests.builders import pseudonym
from tests.unit.ingest.builders import NOW, attendance, climate, enrolment, event, grade

ZONE = ZoneInfo("Europe/Stockholm")
STUDENT = pseudonym("maja")


def staff(subject: str) -> dict[str, Any]:
    return event(
        "staff.changed", subject, {"name": "Kim Ek", "email": "kim@a.example", "roles": ["coach"], "revision": 1}
    )


FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "event id": lambda text: attendance(id=text),
    "reference": lambda text: attendance(f"id:{text}"),
    "lesson": lambda text: attendance(data={"lesson": text}),
    "school unit": lambda text: attendance(data={"school_unit": text}),
    "group": lambda text: attendance(data={"group": text}),
    "course": lambda text: grade(data={"course": text, "subject": text, "replaces": [text]}),
    "groups": lambda text: enrolment(data={"groups": [text]}),
    "coach": lambda text: enrolment(data={"coach": f"staff:{text}", "coaches": [f"staff:{text}"]}),
    "staff id": lambda text: staff(f"staff:{text}"),
    "group of a climate report": lambda text: climate() | {"subject": f"group:{text}"},
    "unit of a climate report": lambda text: climate(school_unit=text),
}


def behind(item: dict[str, Any]) -> Any:
    """The event as it is read behind the door.

    Raises:
        Reject: the door refuses it.
    """
    accepted = checks.check(item, {"2480"}, NOW, ZONE, Spaces())
    subject = accepted.subject
    if isinstance(accepted.data, StaffChanged):
        subject = staff_id(subject, "test")
    elif not subject.startswith("group:"):
        subject = STUDENT
    candidate = Candidate(0, item, Entrant(accepted, "test"), "key", "digest")
    archived = _archived(candidate, Identified(subject, "hash"), NOW + timedelta(seconds=1))
    return read_event(archived.event.encode())


# Three letters of one: U+FB2C becomes three characters in NFC.
LONGEST = ["\ufb2c" * 42, "\ufb2c" * 43, "\ufb2c" * 128, "å" * 128, "a\u030a" * 64, "\U0001f600" * 128, "x" * 129]
odd_texts = st.one_of(
    st.text(min_size=1, max_size=140),
    st.sampled_from(["\ufb2c", "å", "a\u030a", "\u0344", "x", ": ", " ", "\u200b", "\r", "\U0001f600"]).flatmap(
        lambda piece: st.integers(1, 260).map(lambda count: piece * count)
    ),
)


@pytest.mark.parametrize("field", FIELDS)
@given(text=odd_texts)
def test_what_the_door_lets_in_is_read_behind_it(field: str, text: str) -> None:
    try:
        item = orjson.loads(orjson.dumps(FIELDS[field](text)))
    except TypeError:
        return  # lone surrogates are no JSON
    try:
        checks.check(item, {"2480"}, NOW, ZONE, Spaces())
    except Reject:
        return
    read = behind(item)
    assert read.encode() == read_event(read.encode()).encode()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", LONGEST, ids=[f"{len(text)} of {text[0]!r}" for text in LONGEST])
def test_the_longest_are_refused_at_the_door_or_read_behind_it(field: str, text: str) -> None:
    try:
        checks.check(FIELDS[field](text), {"2480"}, NOW, ZONE, Spaces())
    except Reject:
        return
    behind(FIELDS[field](text))


@pytest.mark.parametrize("field", ["event id", "lesson", "school unit", "group", "course", "groups"])
def test_a_colon_within_a_code_is_nothing_special(field: str) -> None:
    behind(FIELDS[field]("NA25: grupp 1"))


@pytest.mark.parametrize("reference", ["id: 1", "id:1 ", " id:1"])
def test_blanks_around_a_reference_are_refused_after_its_prefix_too(reference: str) -> None:
    with pytest.raises(Reject):
        behind(attendance(reference))
