"""Every exchange, queue and argument: the one place, since two declarations that differ are refused by the broker.

Each service declares the whole before it starts, so that no order of starting can lose a message. Works on RabbitMQ 3.10
and 4.0.

    sis.events ─> ingest.sis          events ─> scoring.s00…, scoring.climate, reporting.events, notify.events
    risk ─> reporting.risk, notify.risk
    <service>.retry.5s/1m/10m ──(after the wait)──> <service>.again ─> the service's queues, by the same routing key
    every work queue ──(rejected, delivery limit)──> <service>.parking
    <service>.held: messages of authorities with too many parked in a row
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from aio_pika import ExchangeType

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel
    from pamqp.common import Arguments

SIS_EVENTS = "sis.events"
EVENTS = "events"
RISK = "risk"

SCORED_KEY = "risk.scored"
LEVEL_CHANGED_KEY = "level.changed"
ALERT_WITHDRAWN_KEY = "alert.withdrawn"
GROUP_SIGNAL_KEY = "group.signal_changed"

CLIMATE_QUEUE = "scoring.climate"

SERVICES = ("ingest", "scoring", "notify", "reporting")
RETRY_STEPS: tuple[tuple[str, int], ...] = (("5s", 5_000), ("1m", 60_000), ("10m", 600_000))
"""Name and wait in milliseconds of each step of the ladder."""

DELIVERY_LIMIT = 20
PARKED_DELIVERY_LIMIT = 2_000_000_000
"""In effect none: an operator's look takes a message and puts it back, and that counts. RabbitMQ 4 drops after 20
when nothing is said; its own word for none, -1, makes 3.10 drop at the first look."""
UNSHARDED = frozenset({"staff.changed", "climate.reported"})
SCORED = ("attendance.recorded", "grade.recorded", "enrolment.changed")
"""Families of events that scoring reads from its shards' queues."""


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """A queue of one service with what it is bound to.

    Attributes:
        patterns: Its bindings, in its exchange and in its service's `again`.
        unbound: Bindings that a broker may still have from before; declaring removes them.
    """

    name: str
    service: str
    exchange: str
    patterns: tuple[str, ...]
    unbound: tuple[str, ...] = ()


def shard_of(subject: str, shards: int) -> int:
    """The shard of a student, the same on every machine and after every restart."""
    return crc32(subject.encode()) % shards


def routing_key(event_type: str, subject: str, shards: int) -> str:
    """Where an accepted event goes in exchange `events`: `s07.attendance.recorded`; staff and climate bear no shard."""
    family = event_type.removeprefix("kvar.").rsplit(".", 1)[0]
    return family if family in UNSHARDED else f"s{shard_of(subject, shards):02d}.{family}"


def scoring_queue(shard: int) -> str:
    """Name of the queue of one shard."""
    return f"scoring.s{shard:02d}"


def parking_queue(service: str) -> str:
    """Where a service's messages wait for a person."""
    return f"{service}.parking"


def held_queue(service: str) -> str:
    """Where messages of an authority wait unworked, after too many of its messages were parked in a row."""
    return f"{service}.held"


def retry_exchange(service: str, step: str) -> str:
    """Where a message goes to come back after the step's wait."""
    return f"{service}.retry.{step}"


def again_exchange(service: str) -> str:
    """Where a message goes to be delivered to its service alone, by its old routing key."""
    return f"{service}.again"


def work_queues(shards: int) -> list[WorkQueue]:
    """All queues that services consume."""
    return [
        WorkQueue("ingest.sis", "ingest", SIS_EVENTS, ("#",)),
        *(_shard_queue(n) for n in range(shards)),
        WorkQueue(CLIMATE_QUEUE, "scoring", EVENTS, ("climate.reported",)),
        WorkQueue("reporting.events", "reporting", EVENTS, ("*.enrolment.changed", "climate.reported")),
        WorkQueue("reporting.risk", "reporting", RISK, (SCORED_KEY, GROUP_SIGNAL_KEY)),
        WorkQueue("notify.events", "notify", EVENTS, ("*.enrolment.changed", "staff.changed")),
        WorkQueue("notify.risk", "notify", RISK, (LEVEL_CHANGED_KEY, ALERT_WITHDRAWN_KEY)),
    ]


async def declare(channel: AbstractChannel, shards: int) -> None:
    """Declares everything; harmless when it is there already."""
    for name in (SIS_EVENTS, EVENTS, RISK):
        await channel.declare_exchange(name, ExchangeType.TOPIC, durable=True)
    for service in SERVICES:
        await _declare_service(channel, service)
    for queue in work_queues(shards):
        declared = await channel.declare_queue(queue.name, durable=True, arguments=_work_arguments(queue.service))
        for pattern in queue.patterns:
            await declared.bind(queue.exchange, pattern)
            await declared.bind(again_exchange(queue.service), pattern)
        for pattern in queue.unbound:  # only when the others are there: no moment without a way
            await declared.unbind(queue.exchange, pattern)
            await declared.unbind(again_exchange(queue.service), pattern)


def _shard_queue(shard: int) -> WorkQueue:
    prefix = f"s{shard:02d}"
    patterns = tuple(f"{prefix}.{family}" for family in SCORED)
    return WorkQueue(scoring_queue(shard), "scoring", EVENTS, patterns, unbound=(f"{prefix}.#",))


async def _declare_service(channel: AbstractChannel, service: str) -> None:
    again = await channel.declare_exchange(again_exchange(service), ExchangeType.TOPIC, durable=True)
    kept: Arguments = {"x-queue-type": "quorum", "x-delivery-limit": PARKED_DELIVERY_LIMIT}
    for waiting in (parking_queue(service), held_queue(service)):
        await channel.declare_queue(waiting, durable=True, arguments=kept)
    for step, wait in RETRY_STEPS:
        name = retry_exchange(service, step)
        exchange = await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
        arguments: Arguments = {
            **_kept_dead_letters(),
            "x-message-ttl": wait,
            "x-dead-letter-exchange": again.name,
        }
        queue = await channel.declare_queue(name, durable=True, arguments=arguments)
        await queue.bind(exchange)


def _kept_dead_letters() -> dict[str, str]:
    return {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def _work_arguments(service: str) -> Arguments:
    return {
        **_kept_dead_letters(),
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": parking_queue(service),
        "x-delivery-limit": DELIVERY_LIMIT,
    }
