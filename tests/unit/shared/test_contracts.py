"""Contracts: what is refused with which path, what survives the wire, and that documents are current."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from deploy.documents import as_text, documents
from shared.errors import Reject
from shared.events import BEHIND_TYPES, AnyEvent, read_door_event, read_event
from shared.messaging.topology import routing_key, shard_of
from tests.builders import MONDAY, attendance, enrolment, grade, pseudonym

DOCS = Path(__file__).parents[3] / "docs"
STUDENT = pseudonym("örjan")


def door(**data: Any) -> dict[str, Any]:
    body = {
        "lesson": "2026-09-07-1",
        "school_unit": "gy-aspen",
        "starts_at": "2026-09-07T08:00:00+02:00",
        "minutes": 60,
        "state": "registered",
        "revision": 1,
    }
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/authorities/2480/systems/test",
        "type": "kvar.attendance.recorded.v1",
        "subject": "id:4711",
        "time": "2026-09-07T09:00:00+02:00",
        "authority": "2480",
        "data": body | data,
    }


def test_a_whole_event_is_accepted_and_unknown_fields_are_left_alone() -> None:
    assert read_door_event(door(room="A12") | {"comment": "ahead of us"}).subject == "id:4711"


Change = Callable[[dict[str, Any]], Any]
REFUSED: list[Any] = [
    pytest.param(lambda e: e.pop("id"), "$.id", id="no id"),
    pytest.param(lambda e: e.pop("specversion"), "$.specversion", id="no specversion"),
    pytest.param(lambda e: e.update(type="kvar.lunch.v1"), "$.type", id="unknown type"),
    pytest.param(lambda e: e.update(type=["x"]), "$.type", id="type no string"),
    pytest.param(lambda e: e.update(subject="4711"), "$.subject", id="bare subject"),
    pytest.param(lambda e: e.update(subject=None), "$.subject", id="null subject"),
    pytest.param(lambda e: e.update(time="2026-09-07T09:00:00"), "$.time", id="time without offset"),
    pytest.param(lambda e: e.update(data=None), "$.data", id="no data"),
    pytest.param(lambda e: e["data"].pop("lesson"), "$.data.lesson", id="no lesson"),
    pytest.param(lambda e: e["data"].update(minutes="60"), "$.data.minutes", id="minutes as text"),
    pytest.param(lambda e: e["data"].update(minutes=0), "$.data.minutes", id="no minutes"),
    pytest.param(lambda e: e["data"].update(minutes=721), "$.data.minutes", id="longer than a day"),
    pytest.param(lambda e: e["data"].update(excused_minutes=61), "$.data.excused_minutes", id="more than the lesson"),
    pytest.param(
        lambda e: e["data"].update(excused_minutes=40, unexcused_minutes=30),
        "$.data.unexcused_minutes",
        id="together too much",
    ),
    pytest.param(
        lambda e: e["data"].update(state="unregistered", unexcused_minutes=5),
        "$.data.unexcused_minutes",
        id="unknown absence",
    ),
    pytest.param(lambda e: e["data"].update(revision=2**53), "$.data.revision", id="revision too great"),
    pytest.param(lambda e: e["data"].update(state="absent"), "$.data.state", id="unknown state"),
]


@pytest.mark.parametrize(("change", "path"), REFUSED)
def test_a_fault_is_named_by_its_path(change: Change, path: str) -> None:
    event = door()
    change(event)
    with pytest.raises(Reject) as refused:
        read_door_event(event)
    assert path in {error.path for error in refused.value.errors}
    assert all(error.expected for error in refused.value.errors)


EVENTS: list[AnyEvent] = [attendance(STUDENT, MONDAY, unexcused=20), grade(STUDENT, MONDAY), enrolment(STUDENT)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_survives_the_wire_and_obeys_its_published_schema(event: AnyEvent) -> None:
    assert read_event(event.encode()) == event
    schema = json.loads((DOCS / f"contracts/events/{event.type}.schema.json").read_text())
    jsonschema.validate(orjson.loads(event.encode()), schema)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"type": 1}', b'{"type": "kvar.lunch.v1"}', b"\xff"])
def test_what_is_no_event_is_rejected_not_raised(body: bytes) -> None:
    with pytest.raises(Reject):
        read_event(body)


def test_documents_are_current() -> None:
    stale = [
        name for name, document in documents().items() if (DOCS / name).read_text(encoding="utf-8") != as_text(document)
    ]
    assert stale == [], "run `make docs`"


def test_every_type_has_a_documented_contract() -> None:
    for model in BEHIND_TYPES.values():
        data = model.model_fields["data"].annotation
        assert model.__doc__
        assert data is not None
        assert data.__doc__


def test_shards_never_change() -> None:
    """A changed shard would only cost locality, but an unstable one would differ between replicas."""
    assert [shard_of(pseudonym(name), 8) for name in ("åsa", "örjan", "ali")] == [0, 6, 2]
    assert routing_key("kvar.staff.changed.v1", "staff:1", 8) == "staff.changed"
    assert routing_key("kvar.attendance.recorded.v1", STUDENT, 8) == "s06.attendance.recorded"
