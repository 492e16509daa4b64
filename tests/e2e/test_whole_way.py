"""A small school through all four services as processes; every student's end is compared with brute force.

Services and the broker are killed with -9 while it plays: the supervisor brings them back, and nothing is lost or counted
twice.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.events import DayOfEvents
from deploy.demo.player import PlayResult, play
from deploy.demo.school_calendar import latest_whole_term
from deploy.demo.simulator import Simulation, simulate
from deploy.local import mails, processes
from deploy.local.broker import metrics_url
from deploy.local.folder import locked
from deploy.local.layout import PORTS_OF_A_RUN, VIEWER, Ports, load_or_make_secrets
from deploy.local.ports import free_row
from deploy.local.queues import Drain, QueueCounts, parked
from deploy.local.stack import Stack
from tests import oracle, references

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]

STUDENTS = 14
BAD = 4
DRAIN_SECONDS = 60.0
KILLED = ("scoring", "notify", "rabbitmq", "scoring", "ingest", "reporting")
"""One after the other, at even distances of the way. The supervisor waits longer before each restart of the same program."""


def small_school(bad: int) -> Simulation:
    term = latest_whole_term(date.today())  # noqa: DTZ011 - the door's rule about dates is relative to today
    return simulate(7, STUDENTS, 2, term.first_day, term.last_day, bad=bad)


async def kill(stack: Stack, name: str) -> None:
    record = json.loads((stack.folder / "records" / f"{name}.json").read_text())
    assert processes.signal_marked(record["mark"], signal.SIGKILL), f"{name} was not running"


async def drained(counts: QueueCounts) -> None:
    drain = Drain(counts, 1.5)
    async with asyncio.timeout(DRAIN_SECONDS):
        while not await drain.is_done():  # noqa: ASYNC110 - the broker in another process tells no event
            await asyncio.sleep(0.1)


async def play_and_kill(stack: Stack, school: Simulation, counts: QueueCounts) -> PlayResult:
    def days() -> Iterable[DayOfEvents]:
        yield from school.days

    killed: list[asyncio.Task[None]] = []

    def on_progress(sent: int, total: int) -> None:
        if len(killed) < len(KILLED) and sent > total * (len(killed) + 1) / (len(KILLED) + 1):
            killed.append(asyncio.create_task(kill(stack, KILLED[len(killed)])))

    async def is_done() -> bool:
        return True

    result = await play(
        days(),
        total_events=school.total_events,
        ingest_url=stack.ports.url(stack.ports.service("ingest")),
        token=stack.secrets.publishers[school.source.authority],
        on_progress=on_progress,
        drained=is_done,
    )
    await asyncio.gather(*killed)
    assert len(killed) == len(KILLED)
    await drained(counts)
    return result


async def views(stack: Stack) -> list[dict[str, Any]]:
    ports, found = stack.ports, []
    after: str | None = None
    auth = (VIEWER, stack.secrets.viewer_password)
    async with httpx.AsyncClient(base_url=ports.url(ports.service("reporting")), auth=auth, trust_env=False) as client:
        while True:
            params = {"limit": "10"} | ({"after": after} if after else {})
            page = (await client.get("/v1/students", params=params)).raise_for_status().json()
            found += page["students"]
            after = page["next"]
            if after is None:
                return found


async def alerts(stack: Stack) -> list[dict[str, Any]]:
    ports, found = stack.ports, []
    after: str | None = None
    headers = {"Authorization": f"Bearer {stack.secrets.service_token}"}
    async with httpx.AsyncClient(
        base_url=ports.url(ports.service("notify")), headers=headers, trust_env=False
    ) as client:
        while True:
            params = {"after": after} if after else {}
            page = (await client.get("/v1/alerts", params=params)).raise_for_status().json()
            found += page["items"]
            after = page["next"]
            if after is None:
                return found


async def expected(stack: Stack, school: Simulation) -> dict[str, oracle.Expected]:
    events = [event for day in school.days for event in day.events]
    ingest = stack.ports.url(stack.ports.service("ingest"))
    known = await references.pseudonyms(ingest, stack.secrets.service_token, events)
    return oracle.expect({**event, "subject": known[event["subject"]]} for event in events if event["subject"] in known)


def seen(view: Mapping[str, Any]) -> oracle.Expected:
    points = {reason["indicator"]: reason["points"] for reason in view["reasons"]}
    return oracle.Expected(view["score"], view["level"], points, view["as_of"])


async def test_a_small_school_ends_as_brute_force_says_whoever_was_killed(tmp_path: Path) -> None:
    school = small_school(BAD)
    secrets = load_or_make_secrets(tmp_path / "secrets.json", [school.source.authority])
    stack = Stack(tmp_path, Ports(free_row(PORTS_OF_A_RUN)), secrets, print, throw_away=True)
    with locked(tmp_path), stack.running() as supervisor:
        counts = QueueCounts(metrics_url(stack.ports.broker))
        result = await play_and_kill(stack, school, counts)
        left = parked(await counts.read())
        await counts.close()
        found = {view["pseudonym"]: seen(view) for view in await views(stack)}
        wanted = await expected(stack, small_school(0))
        told = await alerts(stack)
        restarts = supervisor.restarts
    assert result.rejected == school.expected_rejections == BAD
    assert result.accepted + result.duplicate + result.rejected == school.total_events
    assert restarts == Counter(KILLED)
    assert left == {}
    assert len(wanted) >= STUDENTS
    assert found == wanted
    check_mails(tmp_path / "mail", told)


def check_mails(folder: Path, told: list[dict[str, Any]]) -> None:
    """One alert for each level change; every alert that was sent is in the mail box under its id."""
    assert told
    numbers: dict[str, list[int]] = {}
    for alert in told:
        student, _, number = alert["id"].rpartition(":")
        numbers.setdefault(student, []).append(int(number))
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
    sent = {alert["id"] for alert in told if alert["status"] == "sent"}
    mailed = {message_from_bytes(file.read_bytes())["X-Kvar-Alert-Id"] for file in folder.glob(f"*{mails.SUFFIX}")}
    assert sent
    assert sent <= mailed
