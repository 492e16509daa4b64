"""Puts the scoring service together: the only place that wires."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from services.scoring import climate_handler
from services.scoring.handlers import handler
from services.scoring.rescoring import SERVICE, Incoming, Rescoring
from services.scoring.rule_store import RuleBook, RuleStore
from services.scoring.signal_store import SignalStore
from services.scoring.signalling import Signalling
from services.scoring.store import ScoringStore
from shared.background import Rounds, background
from shared.events import AlertWithdrawnEvent, GroupSignalChangedEvent, RiskLevelChangedEvent, RiskScoredEvent
from shared.messaging import topology
from shared.messaging.batching import Batcher
from shared.messaging.broker import confirmed_publish, publisher, subscribe
from shared.messaging.shards import shards_there
from shared.service import Running, build_app, connect

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.settings import Settings

LANES = 2
"""Batches in work at a time. Two: while one waits for the database the other computes. Shards keep students apart."""
SWEEP_EVERY_SECONDS = 15.0
STRANDED_AFTER = timedelta(minutes=1)
SWEEP_LIMIT = 500
REFRESH_LIMIT = 50
REFRESH_EVERY_SECONDS = 2.0
MOVE_LIMIT = 500
MOVE_EVERY_SECONDS = 5.0
"""Places begin and end at midnight, in August all at once: 300,000 take about an hour."""
SIGNAL_EVERY_SECONDS = 10.0
SIGNAL_SHARE = 0.5
"""Of the time: what groups say may be an hour late, the events of today not."""
REFRESH_SHARE = 0.5
"""Of the time: when new rules come, the events of today go on beside them."""


class Lanes:
    """The batches in work, and the shards' queues that feed them."""

    def __init__(self, running: Running, rescoring: Rescoring) -> None:
        settings = running.settings
        self._running = running
        self._lanes = [
            Batcher[Incoming](rescoring.process, max_size=settings.batch_size, max_wait=settings.batch_wait_ms / 1000)
            for _ in range(min(LANES, settings.shards))
        ]
        self._attached: set[int] = set()

    def attach(self, shards: int) -> None:
        """Has the queues of so many shards consumed."""
        settings = self._running.settings
        for shard in set(range(shards)) - self._attached:
            self._attached.add(shard)
            subscribe(
                self._running.broker,
                topology.scoring_queue(shard),
                handler(self._lanes[shard % len(self._lanes)].submit, settings.zone),
                prefetch=settings.batch_size,
                title=f"{topology.scoring_queue(shard)}:facts",
            )

    async def open(self, stack: AsyncExitStack) -> None:
        """Starts the batches; they end with the stack."""
        for lane in self._lanes:
            await stack.enter_async_context(lane)


def build(settings: Settings) -> FastAPI:
    """The service, ready to be served."""
    running = connect(SERVICE, settings)
    store, rules, signals = (
        ScoringStore(running.database),
        RuleStore(running.database),
        SignalStore(running.database),
    )
    publish, book = confirmed_publish(running.broker, topology.RISK), RuleBook(rules)
    rescoring = Rescoring(
        store, publish, running.clock.now, book, zone=settings.zone, school_years=settings.school_years_kept
    )
    signalling = Signalling(
        signals,
        store,
        rescoring,
        book,
        publish=publish,
        clock=running.clock.now,
        zone=settings.zone,
        every=timedelta(minutes=settings.signal_minutes),
        holder=secrets.token_hex(8),
    )
    lanes = Lanes(running, rescoring)
    lanes.attach(settings.shards)
    climate = climate_handler.handler(signals, store)
    title = f"{topology.CLIMATE_QUEUE}:climate"
    subscribe(running.broker, topology.CLIMATE_QUEUE, climate, prefetch=climate_handler.PREFETCH, title=title)
    _declare_publishers(running)

    @asynccontextmanager
    async def start(_: Running) -> AsyncIterator[None]:
        await store.prepare()
        await rules.prepare()
        await signals.prepare()
        async with AsyncExitStack() as stack:
            await lanes.open(stack)
            await stack.enter_async_context(background(SERVICE, *_rounds(settings, rescoring, signalling)))
            # Where KVAR_SHARDS was larger once, publishers may still fill those queues: somebody must work them off.
            lanes.attach(await shards_there(running.broker, settings.shards))
            yield

    return build_app(
        running,
        start,
        title="Kvar scoring",
        description="Keeps the facts of every student and says how great the risk is and why.",
    )


def _declare_publishers(running: Running) -> None:
    for key, event, title in (
        (topology.SCORED_KEY, RiskScoredEvent, "risk.scored"),
        (topology.LEVEL_CHANGED_KEY, RiskLevelChangedEvent, "risk.level_changed"),
        (topology.ALERT_WITHDRAWN_KEY, AlertWithdrawnEvent, "risk.alert_withdrawn"),
        (topology.GROUP_SIGNAL_KEY, GroupSignalChangedEvent, "group.signal_changed"),
    ):
        publisher(running.broker, topology.RISK, key, event, title)


def _rounds(settings: Settings, rescoring: Rescoring, signalling: Signalling) -> tuple[Rounds, ...]:
    """What is done beside the events."""
    signals_every = min(SIGNAL_EVERY_SECONDS, 60 * settings.signal_minutes)
    return (
        Rounds("sweeping", lambda: rescoring.sweep(STRANDED_AFTER, SWEEP_LIMIT), SWEEP_EVERY_SECONDS),
        Rounds("refreshing", lambda: rescoring.refresh(REFRESH_LIMIT), REFRESH_EVERY_SECONDS, REFRESH_SHARE),
        Rounds("moving", lambda: rescoring.move(MOVE_LIMIT), MOVE_EVERY_SECONDS, REFRESH_SHARE),
        Rounds("signalling", signalling.round, signals_every, SIGNAL_SHARE),
    )
