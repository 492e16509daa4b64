"""Views over the real broker and database: any order, repetitions, several replicas. The pure merge: tests/unit/reporting."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import TYPE_CHECKING, Any

import aio_pika
import pytest
from prometheus_client import REGISTRY

from services.reporting.handlers import StudentWriter
from services.reporting.store import StudentStore, UnitStore
from shared import mongo
from shared.events import AnyEvent, Level
from shared.messaging import topology
from tests.integration.reporting.conftest import Publish, Reporting, eventually, open_channel, running
from tests.unit.reporting.builders import FRIDAY, MONDAY, absence, climate, clock_at, enrolment, pseudonym, risk

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

    from shared.settings import Settings

pytestmark = pytest.mark.integration

CLOCK = clock_at(MONDAY)
LEVELS = {0: Level.UNIVERSAL, 1: Level.TARGETED, 2: Level.INDIVIDUAL}


def school(students: int, seed: int) -> list[AnyEvent]:
    """Enrolments, moves, endings and scores of a made-up school."""
    chance = random.Random(seed)
    events: list[AnyEvent] = []
    for n in range(students):
        name, unit = f"{seed}-{n}", chance.choice("ABC")
        events.append(enrolment(name, 1, unit=unit))
        if n % 5 == 0:
            events.append(enrolment(name, 2, unit=unit, status=chance.choice(["ended", "paused"])))
        if n % 10 == 0:
            events.append(enrolment(name, 1, unit="D", starts_on=FRIDAY))
        for revision in range(1, chance.randint(1, 5)):
            rank = chance.randrange(3)
            events.append(risk(name, revision, score=rank * 25 + 5, level=LEVELS[rank], unit=unit))
    return events


def expected_units(events: list[AnyEvent]) -> dict[str, Counter[str]]:
    """The same numbers, counted in another way: straight from the newest events of each key."""
    newest: dict[tuple[str, ...], Any] = {}
    for event in events:
        unit = "" if event.type == "kvar.risk.scored.v1" else event.data.school_unit  # type: ignore[union-attr]
        key = (event.subject, unit or "")
        known = newest.get(key)
        if known is None or known.data.revision < event.data.revision:  # type: ignore[union-attr]
            newest[key] = event
    units: dict[str, Counter[str]] = {}
    for (student, unit), event in newest.items():
        if not unit:
            continue
        numbers = units.setdefault(unit, Counter())
        numbers[str(event.data.status)] += 1
        if event.data.status == "active":
            scored = newest.get((student, ""))
            numbers[str(scored.data.level) if scored else "without_data"] += 1
    return units


async def test_unit_counts_equal_an_independent_count_whatever_the_order(
    reporting: Reporting, replica: Callable[[], AbstractAsyncContextManager[Reporting]], publish: Publish
) -> None:
    events = school(120, seed=4)
    shuffled = [*events, *random.Random(5).sample(events, 100)]
    random.Random(6).shuffle(shuffled)
    async with replica() as second:
        await publish(*shuffled)
        first_view, second_view = await reporting.settled_units(), await second.settled_units()
    assert [unit | {"counted_at": ""} for unit in first_view] == [unit | {"counted_at": ""} for unit in second_view]
    found = {
        unit["school_unit"]: +Counter(
            {
                **{name: unit[name] for name in ("active", "paused", "ended", "without_data")},
                **{level: count["students"] for level, count in unit["levels"].items()},
            }
        )
        for unit in first_view
    }
    assert found == expected_units(events)


async def test_replicas_that_write_the_same_students_at_once_lose_nothing(database: mongo.Database) -> None:
    events = [event for event in school(40, seed=7) if event.type != "kvar.climate.reported.v1"]
    students = StudentStore(database)
    writers = [StudentWriter(StudentStore(database), UnitStore(database), CLOCK) for _ in range(4)]

    async def write(writer: StudentWriter, seed: int) -> None:
        mine = list(events)
        random.Random(seed).shuffle(mine)
        for start in range(0, len(mine), 40):
            await writer.process(mine[start : start + 40])  # type: ignore[arg-type]

    await asyncio.gather(*(write(writer, seed) for seed, writer in enumerate(writers)))
    names = {event.subject for event in events}
    together = {name: stored.view for name, stored in (await students.read(names)).items()}
    alone = StudentStore(database.client[f"{database.name}_alone"])
    await StudentWriter(alone, UnitStore(database), CLOCK).process(events)  # type: ignore[arg-type]
    assert together == {name: stored.view for name, stored in (await alone.read(names)).items()}
    assert together.keys() == names


async def test_risk_before_enrolment_and_after_it_give_the_same_student(reporting: Reporting, publish: Publish) -> None:
    scored: dict[str, Any] = {"score": 31, "level": Level.TARGETED, "reasons": [absence()]}
    await publish(risk("first", 3, **scored), enrolment("first"), enrolment("second"), risk("second", 3, **scored))
    first, second = [await reporting.get(f"/v1/students/{pseudonym(name)}") for name in ("first", "second")]
    assert first | {"pseudonym": ""} == second | {"pseudonym": ""}
    assert (first["level"], first["score"], first["school_unit"]) == ("targeted", 31, "A")


async def test_an_older_score_that_comes_late_changes_nothing(reporting: Reporting, publish: Publish) -> None:
    await publish(risk("s", 5, score=60, level=Level.INDIVIDUAL))
    await publish(risk("s", 4, score=10), risk("s", 5, score=60, level=Level.INDIVIDUAL))
    student = await reporting.get(f"/v1/students/{pseudonym('s')}")
    assert (student["score"], student["revision"]) == (60, 5)


async def test_a_move_takes_the_student_from_one_unit_to_the_other(reporting: Reporting, publish: Publish) -> None:
    await publish(risk("s", 1, unit="A"))
    await reporting.settled_units()
    await publish(risk("s", 2, unit="B"))
    units = await reporting.settled_units()
    assert [(unit["school_unit"], unit["active"]) for unit in units] == [("B", 1)]


async def test_protection_takes_the_student_out_of_what_the_unit_shows(reporting: Reporting, publish: Publish) -> None:
    await publish(enrolment("s", 1), enrolment("t"), risk("s", 1, groups=["NA24B"]))
    await reporting.settled_units()
    await publish(enrolment("s", 2, protected=True))
    units = await reporting.settled_units()
    assert [(unit["school_unit"], unit["active"]) for unit in units] == [("A", 1), (None, 1)]
    student = await reporting.get(f"/v1/students/{pseudonym('s')}")
    assert student["protected"]
    assert (student["school_unit"], student["groups"], student["enrolments"]) == (None, [], [])
    listed = (await reporting.get("/v1/students", school_unit="A"))["students"]
    assert [item["pseudonym"] for item in listed] == [pseudonym("t")]
    everybody = (await reporting.get("/v1/students"))["students"]
    assert pseudonym("s") in [item["pseudonym"] for item in everybody]


async def test_climate_shows_the_newest_week_and_the_highest_revision(reporting: Reporting, publish: Publish) -> None:
    weeks = [
        climate("group:NA24B", "2026-W46", 2, safety=3.5),
        climate("group:NA24B", "2026-W46", 1, safety=1.0),
        climate("group:NA24B", "2026-W45", 9, safety=2.0),
        climate("unit:A", "2026-W44"),
        climate("unit:A", "2026-W46", 1, safety=1.5),
        climate("unit:A", "2026-W46", 2, state="retracted"),
        climate("group:elsewhere"),
    ]
    await publish(enrolment("s"), *weeks)
    before = older_than_known()
    await publish(*reversed(weeks))
    assert older_than_known() == before + 2, "repetitions of the newest are not counted"
    await reporting.settled_units()
    shown = (await reporting.get("/v1/units/A"))["climate"]
    assert [(item["subject"], item["period"], item["safety"]) for item in shown] == [
        ("unit:A", "2026-W44", 4.1),
        ("group:NA24B", "2026-W46", 3.5),
    ]


def older_than_known() -> float:
    labels = {"service": "reporting", "authority": "2480", "type": "kvar.climate.reported.v1"}
    return REGISTRY.get_sample_value("kvar_older_than_known_total", labels) or 0


async def test_a_climate_report_is_of_the_unit_that_it_names_or_of_the_only_one_with_such_a_group(
    reporting: Reporting, publish: Publish
) -> None:
    await publish(
        enrolment("a", groups=["NA25A", "ONLY"]),
        enrolment("b", unit="B", groups=["NA25A"]),
        enrolment("next", unit="C", groups=["ONLY", "NA25A"], starts_on=date(2027, 8, 16)),
        enrolment("there", unit="D", groups=["ONLY"], authority="0180"),
        climate("group:NA25A", safety=1.0),
        climate("group:NA25A", safety=2.0, school_unit="A"),
        climate("group:NA25A", "2026-W47", safety=3.0, school_unit="B"),
        climate("group:NA25A", "2026-W48", safety=3.1, school_unit="B"),
        climate("group:NA25A", "2026-W48", 2, safety=3.1, school_unit="B", state="retracted"),
        climate("group:ONLY", "2026-W45", safety=4.0),
        climate("group:ONLY", safety=4.2, school_unit="B"),
        climate("unit:A", safety=5.0),
    )
    await reporting.settled_units()

    async def shown(unit: str) -> dict[str, float]:
        return {item["subject"]: item["safety"] for item in (await reporting.get(f"/v1/units/{unit}"))["climate"]}

    assert await shown("A") == {"unit:A": 5.0, "group:NA25A": 2.0, "group:ONLY": 4.0}
    assert await shown("B") == {"group:NA25A": 3.0}
    assert await shown("C") == {}
    assert await shown("D") == {}
    await publish(climate("group:ONLY", "2026-W45", safety=4.4, school_unit="A"))
    assert (await shown("A"))["group:ONLY"] == 4.4


async def test_what_does_not_belong_on_the_queue_is_parked(reporting: Reporting, channel: AbstractChannel) -> None:
    assert (await reporting.client.get("/health/ready")).status_code == 200
    risks = await channel.get_exchange(topology.RISK)
    await risks.publish(aio_pika.Message(enrolment("s").encode()), topology.SCORED_KEY)
    await risks.publish(aio_pika.Message(b"{"), topology.SCORED_KEY)
    events = await channel.get_exchange(topology.EVENTS)
    await events.publish(
        aio_pika.Message(risk("s").encode()), topology.routing_key("kvar.enrolment.changed.v1", pseudonym("s"), 1)
    )

    async def parked() -> int | None:
        queue = await channel.declare_queue(topology.parking_queue("reporting"), passive=True)
        return queue.declaration_result.message_count if queue.declaration_result.message_count == 3 else None

    assert await eventually(parked, "three messages are parked, none of them tried again") == 3


async def test_what_was_not_handled_when_a_replica_stopped_is_handled_by_the_next(own_settings: Settings) -> None:
    async with open_channel(own_settings) as channel:
        risks = await channel.get_exchange(topology.RISK)
        async with running(own_settings):
            for n in range(300):
                await risks.publish(aio_pika.Message(risk(f"s{n}").encode(), delivery_mode=2), topology.SCORED_KEY)
        async with running(own_settings) as second:

            async def all_counted() -> bool | None:
                units = await second.settled_units()
                return True if [unit["active"] for unit in units] == [300] else None

            await eventually(all_counted, "300 students are counted")
