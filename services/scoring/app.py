"""Puts the scoring service together: the only place that wires."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from services.scoring.handlers import handler
from services.scoring.rescoring import SERVICE, Incoming, Rescoring, utc_now
from services.scoring.store import ScoringStore
from shared.errors import Outage
from shared.events import RiskLevelChangedEvent, RiskScoredEvent
from shared.messaging import topology
from shared.messaging.batching import Batcher
from shared.messaging.broker import confirmed_publish, publisher, subscribe
from shared.service import Running, build_app, connect

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.settings import Settings

LANES = 2
"""Batches in work at a time. Two: while one waits for the database the other computes. Shards keep students apart."""
SWEEP_EVERY_SECONDS = 15.0
STRANDED_AFTER = timedelta(minutes=1)
SWEEP_LIMIT = 500

logger = logging.getLogger(__name__)


def build(settings: Settings) -> FastAPI:
    """The service, ready to be served."""
    running = connect(SERVICE, settings)
    rescoring = Rescoring(ScoringStore(running.database), confirmed_publish(running.broker, topology.RISK), utc_now)
    lanes = [
        Batcher[Incoming](rescoring.process, max_size=settings.batch_size, max_wait=settings.batch_wait_ms / 1000)
        for _ in range(min(LANES, settings.shards))
    ]
    for shard in range(settings.shards):
        subscribe(
            running.broker,
            topology.scoring_queue(shard),
            handler(lanes[shard % len(lanes)].submit, settings.zone),
            prefetch=settings.batch_size,
            title=f"{topology.scoring_queue(shard)}:facts",
        )
    publisher(running.broker, topology.RISK, topology.SCORED_KEY, RiskScoredEvent, "risk.scored")
    publisher(running.broker, topology.RISK, topology.LEVEL_CHANGED_KEY, RiskLevelChangedEvent, "risk.level_changed")

    @asynccontextmanager
    async def start(running: Running) -> AsyncIterator[None]:
        await ScoringStore(running.database).prepare()
        async with AsyncExitStack() as stack:
            for lane in lanes:
                await stack.enter_async_context(lane)
            sweeper = asyncio.create_task(_sweep(rescoring))
            stack.push_async_callback(_end, sweeper)
            yield

    return build_app(
        running,
        start,
        title="Kvar scoring",
        description="Keeps the facts of every student and says how great the risk is and why.",
    )


async def _sweep(rescoring: Rescoring) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_SECONDS)
        try:
            found = await rescoring.sweep(STRANDED_AFTER, SWEEP_LIMIT)
        except Outage as outage:
            logger.warning("sweeping waits", extra={"outage": str(outage)})
            continue
        if found:
            logger.warning("published stranded level changes", extra={"students": found})


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
