"""Messages of an authority that fail one after the other are put aside, and nobody else feels it. Counting: test_budget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from typer.testing import CliRunner

from shared.errors import Reject, Retry
from shared.events import AnyEvent
from shared.messaging import topology
from shared.messaging.parking_cli import app as parking
from tests.integration.shared.small import SERVICE, Small, build, events, says
from tests.integration.shared.test_parking import only_this_broker
from tests.integration.shared.waiting import until

pytestmark = pytest.mark.integration

HOSTILE, OTHER = "0180", "2480"


def of(authority: str, some: Sequence[AnyEvent]) -> list[AnyEvent]:
    return [event.model_copy(update={"authority": authority, "id": f"{authority}-{event.id}"}) for event in some]


class Fault:
    """What a service cannot take, until it is mended: all events of one authority."""

    def __init__(self) -> None:
        self.is_mended = False
        self.tried: list[str] = []

    def __call__(self, event: AnyEvent) -> None:
        if event.authority == HOSTILE:
            self.tried.append(event.id)
            if not self.is_mended:
                raise Reject("no good")


def mixed(bad: Sequence[AnyEvent], good: Sequence[AnyEvent]) -> list[AnyEvent]:
    return [event for pair in zip(bad, good, strict=True) for event in pair]


async def kvar(small: Small, *arguments: str) -> str:
    """Runs `kvar parking`, in a thread: it has an event loop of its own."""
    environment = only_this_broker(small.amqp_url) | {"COLUMNS": "250"}
    result = await asyncio.to_thread(CliRunner().invoke, parking, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return result.output


async def settled(small: Small, *, parked: int, held: int, kept: Sequence[AnyEvent]) -> None:
    async def is_so() -> bool:
        return (await small.parked(), await small.held()) == (parked, held)

    await until(is_so, f"{parked} parked and {held} held")
    await until(small.holds(kept), "all good ones to be kept")


async def ids(small: Small, *, held: bool) -> list[str | None]:
    return [message.message_id for message in await small.looked_at(held=held)]


async def metric(http: object, name: str) -> float:
    text: str = (await http.get("/metrics")).text  # type: ignore[attr-defined]
    [value] = [line.split()[1] for line in text.splitlines() if line.startswith(f'{name}{{service="{SERVICE}"}}')]
    return float(value)


async def test_what_is_bad_of_one_authority_is_held_in_order_and_all_others_go_on(small: Small) -> None:
    budget, fault = small.settings.parking_budget, Fault()
    bad, good = of(HOSTILE, events(3 * budget)), of(OTHER, events(3 * budget))
    async with small.running(build(small.settings, check=fault)) as http:
        before = await metric(http, "kvar_held_total")
        await small.publish(mixed(bad, good))
        await settled(small, parked=budget, held=2 * budget, kept=good)
        assert await says(http, 200, "ready")
        assert await metric(http, "kvar_authorities_held") == 1
        assert await metric(http, "kvar_held_total") == before + 2 * budget
        assert await ids(small, held=False) == [event.id for event in bad[:budget]]
        assert await ids(small, held=True) == [event.id for event in bad[budget:]]
        [*_, last] = await small.looked_at(held=True)
        assert last.headers["x-kvar-error"] == f"Held: {budget} messages of authority {HOSTILE} in a row were parked"
        assert f"{SERVICE}: {2 * budget} held, see --held" in await kvar(small, "list")

        assert f"{SERVICE}: {2 * budget} sent again." in await kvar(small, "replay", "--held", "--all")
        await until(lambda: _has_tried(fault, 3 * budget), "all to be tried")
        await settled(small, parked=budget, held=2 * budget, kept=good)
        assert fault.tried == [event.id for event in bad]
        assert await ids(small, held=True) == [event.id for event in bad[budget:]]

        fault.is_mended = True
        fault.tried.clear()
        await kvar(small, "replay", "--held", "--all", "--authority", OTHER)
        assert await small.held() == 2 * budget
        await kvar(small, "replay", "--held", "--all", "--authority", HOSTILE)
        await settled(small, parked=budget, held=0, kept=[*good, *bad[budget:]])
        assert fault.tried == [event.id for event in bad[budget:]]
        assert await metric(http, "kvar_authorities_held") == 0
        await kvar(small, "replay", "--all")
        await settled(small, parked=0, held=0, kept=[*good, *bad])


async def test_messages_that_fail_in_work_are_held_with_their_error(small: Small) -> None:
    """Those that were in work already when the budget was spent, and those that come back from the ladder."""
    budget = small.settings.parking_budget

    def fail(_event: AnyEvent) -> None:
        raise Retry("not yet")

    async with small.running(build(small.settings, check=fail)):
        await small.publish(of(HOSTILE, events(2 * budget)), headers={"x-kvar-attempt": len(topology.RETRY_STEPS)})
        await settled(small, parked=budget, held=budget, kept=[])
    errors = {str(message.headers["x-kvar-error"]) for message in await small.looked_at(held=True)}
    assert errors <= {"Retry: not yet", f"Held: {budget} messages of authority {HOSTILE} in a row were parked"}


async def test_every_replica_lets_go_and_a_restart_begins_anew(small: Small) -> None:
    budget, faults = small.settings.parking_budget, (Fault(), Fault())
    bad, more, late = of(HOSTILE, events(60)), of(HOSTILE, events(80)[60:]), of(HOSTILE, events(100)[80:])
    async with (
        small.running(build(small.settings, check=faults[0])),
        small.running(build(small.settings, check=faults[1])),
    ):
        await small.publish(bad)
        await settled(small, parked=2 * budget, held=60 - 2 * budget, kept=[])
        for fault in faults:
            fault.is_mended = True
        await kvar(small, "replay", "--held", "--all")
        await settled(small, parked=2 * budget, held=0, kept=bad[60:])
        await small.publish(more)
        await settled(small, parked=2 * budget, held=0, kept=more)
        assert all(fault.tried for fault in faults)
    async with small.running(build(small.settings, check=Fault())):
        await small.publish(late)
        await settled(small, parked=3 * budget, held=20 - budget, kept=[])


async def test_a_success_between_gives_the_budget_back(small: Small) -> None:
    budget, fault = small.settings.parking_budget, Fault()
    async with small.running(build(small.settings, check=fault)):
        for number, event in enumerate(of(HOSTILE, events(4 * budget)), start=1):
            fault.is_mended = number % budget == 0
            await small.publish([event])
            await until(partial(_has_tried, fault, number), "the event to be tried")
        await settled(small, parked=4 * budget - 4, held=0, kept=[])


async def _has_tried(fault: Fault, count: int) -> bool:
    return len(fault.tried) == count


async def test_without_a_budget_everything_bad_is_parked(small: Small) -> None:
    unlimited = small.settings.model_copy(update={"parking_budget": 0})
    async with small.running(build(unlimited, check=Fault())) as http:
        await small.publish(of(HOSTILE, events(30)))
        await settled(small, parked=30, held=0, kept=[])
        assert await says(http, 200, "ready")
