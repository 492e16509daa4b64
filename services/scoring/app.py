"""Puts the scoring service together: the only place that wires."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from services.scoring import climate_handler
from services.scoring.handlers import handler
from services.scoring.rescoring import SERVICE, Incoming, Rescoring, utc_now
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
SIGNAL_EVERY_SECONDS = 10.0
SIGNAL_SHARE = 0.5
"""Of the time: what groups say may be an hour late, the events of today not."""
REFRESH_SHARE = 0.5
"""Of the time: when new rules come, the events of today go on beside them."""


def build(settings: Settings) -> FastAPI:
    """The service, ready to be served."""
    running = connect(SERVICE, settings)
    store, rules = ScoringStore(running.database), RuleStore(running.database)
    publish = confirmed_publish(running.broker, topology.RISK)
    book = RuleBook(rules)
    rescoring = Rescoring(store, publish, utc_now, book, settings.school_years_kept)
    signals, every = SignalStore(running.database), timedelta(minutes=settings.signal_minutes)
    signalling = Signalling(
        signals,
        store,
        rescoring,
        book,
        publish=publish,
        clock=utc_now,
        every=every,
        holder=secrets.token_hex(8),
    )
    lanes = [
        Batcher[Incoming](rescoring.process, max_size=settings.batch_size, max_wait=settings.batch_wait_ms / 1000)
        for _ in range(min(LANES, settings.shards))
    ]
    attached: set[int] = set()

    def attach(shards: int) -> None:
        for shard in set(range(shards)) - attached:
            attached.add(shard)
            subscribe(
                running.broker,
                topology.scoring_queue(shard),
                handler(lanes[shard % len(lanes)].submit, settings.zone),
                prefetch=settings.batch_size,
                title=f"{topology.scoring_queue(shard)}:facts",
            )

    attach(settings.shards)
    subscribe(
        running.broker,
        topology.CLIMATE_QUEUE,
        climate_handler.handler(signals, store),
        prefetch=climate_handler.PREFETCH,
        title=f"{topology.CLIMATE_QUEUE}:climate",
    )
    publisher(running.broker, topology.RISK, topology.SCORED_KEY, RiskScoredEvent, "risk.scored")
    publisher(running.broker, topology.RISK, topology.LEVEL_CHANGED_KEY, RiskLevelChangedEvent, "risk.level_changed")
    publisher(running.broker, topology.RISK, topology.ALERT_WITHDRAWN_KEY, AlertWithdrawnEvent, "risk.alert_withdrawn")
    publisher(running.broker, topology.RISK, topology.GROUP_SIGNAL_KEY, GroupSignalChangedEvent, "group.signal_changed")

    @asynccontextmanager
    async def start(_: Running) -> AsyncIterator[None]:
        await store.prepare()
        await rules.prepare()
        await signals.prepare()
        async with AsyncExitStack() as stack:
            for lane in lanes:
                await stack.enter_async_context(lane)
            rounds = (
                Rounds("sweeping", lambda: rescoring.sweep(STRANDED_AFTER, SWEEP_LIMIT), SWEEP_EVERY_SECONDS),
                Rounds("refreshing", lambda: rescoring.refresh(REFRESH_LIMIT), REFRESH_EVERY_SECONDS, REFRESH_SHARE),
                Rounds("signalling", signalling.round, min(SIGNAL_EVERY_SECONDS, every.total_seconds()), SIGNAL_SHARE),
            )
            await stack.enter_async_context(background(SERVICE, *rounds))
            # Where KVAR_SHARDS was larger once, publishers may still fill those queues: somebody must work them off.
            attach(await shards_there(running.broker, settings.shards))
            yield

    return build_app(
        running,
        start,
        title="Kvar scoring",
        description="Keeps the facts of every student and says how great the risk is and why.",
    )
