"""What the contracts say of every field, its bounds and its wrong types, asked of the running door."""

from __future__ import annotations

import json
import unicodedata
from itertools import groupby
from typing import Any

import httpx
import pytest

from services.ingest import bodies
from shared.events import read_event
from tests.integration.ingest.door_either import EITHER
from tests.integration.ingest.door_envelope import ENVELOPE, REVISIONS, SUBJECTS
from tests.integration.ingest.door_facts import ATTENDANCE, CLIMATE, ENROLMENTS, GRADES, STAFF
from tests.integration.ingest.door_rows import NOW, Row
from tests.integration.ingest.stage import Outgoing, new_id, publish
from tests.unit.ingest.builders import attendance

pytestmark = pytest.mark.integration


def by_field(table: list[Row]) -> dict[str, list[Row]]:
    """The rows of each field of each kind of event."""
    named = sorted(((f"{row.kind} {row.path}", row) for row in table), key=lambda each: each[0])
    return {name: [row for _, row in rows] for name, rows in groupby(named, key=lambda each: each[0])}


BY_FIELD = by_field([*ENVELOPE, *SUBJECTS, *REVISIONS, *ATTENDANCE, *GRADES, *ENROLMENTS, *STAFF, *CLIMATE])
EITHER_BY_FIELD = by_field(EITHER)


def id_behind(row: Row, event_id: str) -> str:
    """The id under which an accepted row goes out."""
    return unicodedata.normalize("NFC", row.value) if row.path == "$.id" else event_id


async def answers(http: httpx.AsyncClient, *lines: bytes) -> list[dict[str, Any]]:
    """What becomes of each line, with good events before and after them in the same request."""
    neighbours = [json.dumps(attendance(now=NOW, id=new_id())).encode() for _ in range(2)]
    body = b"\n".join([neighbours[0], *lines, neighbours[1]])
    response = await publish(http, body, bodies.LINES)
    assert response.status_code in {202, 207}, response.text
    first, *items, last = list[dict[str, Any]](response.json()["items"])
    assert (first["status"], last["status"]) == ("accepted", "accepted")
    assert [item["index"] for item in items] == list(range(1, len(lines) + 1))
    return items


def differs(row: Row, item: dict[str, Any]) -> str:
    """What is wrong about an answer; empty when it is as the contracts say."""
    paths = [fault["path"] for fault in item.get("errors", [])]
    if row.refused is None:
        return "" if item["status"] == "accepted" else f"{row}: accepted, not {item['status']} at {paths}"
    if item["status"] != "rejected":
        return f"{row}: refused, not {item['status']}"
    if not any(f"{path}.".startswith((row.refused + ".", row.refused + "[")) for path in paths):
        return f"{row}: refused at {row.refused}, not at {paths}"
    if not all(fault["found"] and fault["expected"] for fault in item["errors"]):
        return f"{row}: says neither what was found nor what is expected"
    return ""


@pytest.mark.parametrize("rows", BY_FIELD.values(), ids=BY_FIELD.keys())
async def test_the_door_takes_what_the_contracts_say(
    http: httpx.AsyncClient, outgoing: Outgoing, rows: list[Row]
) -> None:
    sent = {new_id("door"): row for row in rows}
    items = await answers(http, *[row.line(event_id) for event_id, row in sent.items()])
    wrong = [what for row, item in zip(rows, items, strict=True) if (what := differs(row, item))]
    assert not wrong, "\n".join(wrong)
    for event_id, row in sent.items():
        if row.refused is None:
            await outgoing.wait_for(id_behind(row, event_id))


@pytest.mark.parametrize("rows", EITHER_BY_FIELD.values(), ids=EITHER_BY_FIELD.keys())
async def test_whatever_is_sent_is_answered_and_harms_nothing_beside_it(
    http: httpx.AsyncClient, outgoing: Outgoing, rows: list[Row]
) -> None:
    for row in rows:
        event_id = new_id("door")
        [item] = await answers(http, row.line(event_id))
        if item["status"] == "rejected":
            assert all(fault["path"] and fault["expected"] for fault in item["errors"])
        else:
            await outgoing.wait_for(id_behind(row, event_id))


async def test_no_publisher_says_when_an_event_was_received_or_under_which_reference(
    http: httpx.AsyncClient, outgoing: Outgoing
) -> None:
    plain, forged = attendance(now=NOW, id=new_id()), attendance(now=NOW, id=new_id())
    forged |= {"recordedtime": "2001-01-01T00:00:00Z", "under": "0" * 64}
    await answers(http, json.dumps(plain).encode(), json.dumps(forged).encode())
    messages = [read_event((await outgoing.wait_for(item["id"]))[0].body) for item in (plain, forged)]
    assert messages[0].under == messages[1].under
    assert all(message.recordedtime and message.recordedtime >= NOW for message in messages)
