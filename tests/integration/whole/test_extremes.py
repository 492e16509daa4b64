"""Extreme values of every field go through all four services: what is accepted is scored and shown, what is refused is named.

What they are is derived from the published schemas (`tests.extremes`), so that a new field is tried on the day it is added.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aio_pika
import httpx
import orjson
import pytest

from services.ingest import checks
from services.ingest.bodies import BATCH
from services.ingest.spaces import Spaces
from services.ingest.store import archive_key
from shared import mongo
from shared.errors import Reject
from shared.events import DOOR_TYPES
from shared.messaging import topology
from tests.extremes import LETTERS, Contract, Event, Extreme, bases
from tests.integration.whole.conftest import PASSWORD, SERVICE_TOKEN, TOKEN, Whole

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 60.0
ATTENDANCE, ENROLMENT = "kvar.attendance.recorded.v1", "kvar.enrolment.changed.v1"
CLIMATE, STAFF = "kvar.climate.reported.v1", "kvar.staff.changed.v1"
OF_STUDENTS = {ATTENDANCE, ENROLMENT, "kvar.grade.recorded.v1"}
KEPT = {"source", "subject", "state", "person"}
"""What is not extreme in an event that is so otherwise: it would be another source's, or a version of another fact."""
CONTRACTS = {kind: Contract(DOOR_TYPES[kind].model_json_schema(), base) for kind, base in bases().items()}


@dataclass(frozen=True, slots=True)
class Sent:
    """An event, and where in it the extreme value stands (`$`: everywhere)."""

    event: Event
    json_path: str = "$"

    @property
    def key(self) -> str:
        """Of the archive."""
        return archive_key(self.event["source"], self.event["id"])


def one_by_one() -> Iterator[Sent]:
    """Each of a student, group or member of staff of its own, unless that is what is extreme."""
    for contract in CONTRACTS.values():
        for number, extreme in enumerate(contract.extremes(())):
            yield Sent(extreme.put(_own(contract.base, str(number))), extreme.json_path)


def _own(base: Event, name: str) -> Event:
    return {**base, "id": f"{base['type']}-{name}", "subject": f"{base['subject']}-{name}"}


def all_at_once(whole: Whole) -> Iterator[Sent]:
    """Of each type the smallest event that the door takes, and the largest in letters of one to four bytes."""
    for contract in CONTRACTS.values():
        extremes = [one for one in contract.extremes(()) if one.is_allowed and one.path[-1] not in KEPT]
        base = {
            **contract.base,
            "source": f"{contract.base['source']}-all",
        }  # their ids are extreme, too, and must be new
        smallest = sorted(extremes, key=lambda one: _size(one.value))
        yield Sent(_put_all(_own(base, "smallest"), smallest, whole))
        for letter in LETTERS:
            largest = sorted(smallest, key=lambda one: (letter in str(one.value), _size(one.value)), reverse=True)
            yield Sent(_put_all(_own(base, f"largest-{letter}"), largest, whole))


def _size(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else len(str(value))


def _put_all(event: Event, extremes: list[Extreme], whole: Whole) -> Event:
    """The first of each field that the door takes together with those before it."""
    done: set[str] = set()
    for extreme in extremes:
        changed = extreme.put(event)
        if extreme.json_path not in done and _is_taken(changed, whole):
            done.add(extreme.json_path)
            event = changed
    return event


def _is_taken(event: Event, whole: Whole) -> bool:
    try:
        item = orjson.loads(orjson.dumps(event))
        checks.check(item, {"2480"}, datetime.now(UTC), whole.settings.zone, Spaces())
    except Reject:
        return False
    return True


async def publish(whole: Whole, sent: list[Sent]) -> list[dict[str, Any]]:
    """What became of each at the HTTP door."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": BATCH}
    async with httpx.AsyncClient(base_url=whole.url("ingest"), trust_env=False, timeout=60) as client:
        body = orjson.dumps([one.event for one in sent])
        answer = await client.post("/v1/events", params={"items": "all"}, content=body, headers=headers)
    items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
    return items


async def publish_by_amqp(whole: Whole, sent: list[Sent]) -> None:
    async with await aio_pika.connect(whole.settings.amqp_url) as connection, connection.channel() as channel:
        exchange = await channel.get_exchange(topology.SIS_EVENTS, ensure=False)
        for one in sent:
            await exchange.publish(aio_pika.Message(orjson.dumps(one.event)), "any")


def place_of(report: Event, number: int) -> Sent:
    """A student of the group or unit that a climate report speaks of, so that somebody is there to be shown it for."""
    kind, _, code = report["subject"].partition(":")
    unit = code if kind == "unit" else report["data"].get("school_unit") or "U1"
    event = _own(CONTRACTS[ENROLMENT].base, f"place-{number}")
    return Sent({**event, "data": {**event["data"], "school_unit": unit, "groups": [code] if kind == "group" else []}})


async def until(what: str, condition: Callable[[], Awaitable[Any]]) -> None:
    """Until nothing is left of what the condition returns."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := await condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}: {str(left)[:2000]}"
        await asyncio.sleep(0.1)


@pytest.fixture
def database(whole: Whole) -> Iterator[mongo.Database]:
    opened = mongo.connect(whole.settings.mongo_url, whole.settings.mongo_database, service="test")
    yield opened
    opened.client.close()


async def test_what_is_accepted_is_shown_and_what_is_refused_is_named(whole: Whole, database: mongo.Database) -> None:
    single, combined = list(one_by_one()), list(all_at_once(whole))
    outcomes = await publish(whole, single)
    for sent, outcome in zip(single, outcomes, strict=True):
        if outcome["status"] == "rejected" and sent.json_path != "$.data.kind":
            found = [error["path"] for error in outcome["errors"]]
            assert any(path.startswith(sent.json_path) or sent.json_path.startswith(path) for path in found), outcome
    accepted = [sent for sent, outcome in zip(single, outcomes, strict=True) if outcome["status"] == "accepted"]
    assert len(accepted) > 300
    await publish_by_amqp(whole, combined)
    accepted += combined
    reports = [sent.event for sent in accepted if sent.event["type"] == CLIMATE]
    places = [place_of(report, number) for number, report in enumerate(reports)]
    assert {outcome["status"] for outcome in await publish(whole, places)} == {"accepted"}
    await shown(whole, database, accepted + places)
    assert await left_over(whole) == {}
    assert whole.complaints.told == []


def in_need(now: datetime) -> Iterator[Sent]:
    """A student with the longest names of everything, away for weeks, and the coach who has to be told."""
    unit, coach, groups = "𝒳" * 128, f"staff:{'𝒳' * 200}", [f"{number:02}{'𝒳' * 126}" for number in range(16)]
    yield _in_need(STAFF, coach, 0, name="𝒳" * 200, email=f"{'x' * 60}@{'y' * 60}.example", scope=[unit, *groups])
    place = CONTRACTS[ENROLMENT].base["data"] | {
        "school_unit": unit,
        "groups": groups,
        "coach": coach,
        "programme": unit,
    }
    yield _in_need(ENROLMENT, f"id:{'𝒳' * 200}", 100, **place)
    for number in range(1, 21):
        lesson = {"lesson": f"{number:02}{'𝒳' * 126}", "school_unit": unit, "group": groups[0], "course": unit}
        day = (now - timedelta(days=number)).isoformat()
        yield _in_need(
            ATTENDANCE, f"id:{'𝒳' * 200}", number, **lesson, starts_at=day, minutes=720, unexcused_minutes=720
        )


def _in_need(kind: str, subject: str, number: int, **data: Any) -> Sent:
    base = {**CONTRACTS[kind].base, "source": "/authorities/2480/systems/need", "id": f"{'𝒳' * 200}{number}"}
    return Sent({**base, "subject": subject, "data": {**base["data"], **data}})


async def test_a_coach_is_told_of_a_student_with_the_longest_names(whole: Whole, database: mongo.Database) -> None:
    sent = list(in_need(datetime.now(UTC).replace(microsecond=0)))
    assert {outcome["status"] for outcome in await publish(whole, sent)} == {"accepted"}
    archived = await database["events_archive"].find_one({"_id": sent[-1].key}) or {}
    headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
    async with httpx.AsyncClient(base_url=whole.url("notify"), headers=headers, trust_env=False) as client:

        async def not_told() -> list[str] | str:
            found = (await client.get("/v1/alerts", params={"student": archived["subject"]})).json()["items"]
            return [alert["status"] for alert in found if alert["status"] != "sent"] if found else "no alert"

        await until("the coach is told", not_told)
    assert await left_over(whole) == {}
    assert whole.complaints.told == []


async def shown(whole: Whole, database: mongo.Database, accepted: list[Sent]) -> None:
    """Waits until all of it is where people see it."""
    keys = [sent.key for sent in accepted]

    async def not_archived() -> list[str]:
        found = {each["_id"] async for each in database["events_archive"].find({"_id": {"$in": keys}}, {"_id": 1})}
        return sorted(set(keys) - found)

    await until("all are archived", not_archived)
    query = {"_id": {"$in": keys}}
    subjects = {each["_id"]: each["subject"] async for each in database["events_archive"].find(query)}
    students = {subjects[sent.key] for sent in accepted if sent.event["type"] in OF_STUDENTS}
    staff = {f"2480/{subjects[sent.key]}" for sent in accepted if sent.event["type"] == STAFF}
    assert len(students) > 200
    assert len(staff) > 40
    auth = ("kvar", PASSWORD)
    async with httpx.AsyncClient(base_url=whole.url("reporting"), auth=auth, trust_env=False, timeout=60) as client:

        async def not_scored() -> list[str]:
            answers = [(student, await client.get(f"/v1/students/{student}")) for student in sorted(students)]
            students.difference_update(
                student for student, each in answers if each.is_success and each.json()["revision"] is not None
            )
            return sorted(students)

        async def not_known() -> list[str]:
            return sorted(staff - {each["_id"] async for each in database["staff"].find({}, {"_id": 1})})

        async def not_counted() -> bool:
            return bool((await client.get("/v1/units")).json()["recount_due"])

        await until("all students are scored and shown", not_scored)
        await until("notify knows all staff", not_known)
        await until("all units are counted", not_counted)
        for report in [sent.event for sent in accepted if sent.event["type"] == CLIMATE]:
            if report["data"].get("state") != "retracted":
                await _shown_at_its_unit(client, report)


async def _shown_at_its_unit(client: httpx.AsyncClient, report: Event) -> None:
    data = report["data"]
    kind, _, code = report["subject"].partition(":")
    unit = code if kind == "unit" else data.get("school_unit") or "U1"
    answer = await client.get(f"/v1/units/{quote(unit, safe='')}", params={"authority": "2480"})
    weeks = {week["subject"]: week for week in answer.raise_for_status().json()["climate"]}
    week = weeks[report["subject"]]
    assert {name: week[name] for name in week if name in data} == {name: data[name] for name in week if name in data}
    page = await client.get(f"/units/{quote(unit, safe='')}", params={"authority": "2480"})
    assert page.is_success


async def left_over(whole: Whole) -> dict[str, int]:
    """Messages that wait somewhere, by queue."""
    async with await aio_pika.connect(whole.settings.amqp_url) as connection, connection.channel() as channel:
        names = [queue.name for queue in topology.work_queues(whole.settings.shards)]
        names += [topology.parking_queue(service) for service in topology.SERVICES]
        names += [
            topology.retry_exchange(service, step) for service in topology.SERVICES for step, _ in topology.RETRY_STEPS
        ]
        queues = [await channel.declare_queue(name, passive=True) for name in names]
    return {queue.name: count for queue in queues if (count := queue.declaration_result.message_count)}
