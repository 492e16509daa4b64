"""Wires reporting: queues into views, views into JSON and pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.reporting.access import SecurityHeaders, install_problems, password_guard, show_with
from services.reporting.api import api_router
from services.reporting.climate import ClimateStore
from services.reporting.clock import Clock
from services.reporting.counting import FreshnessGauge, UnitCounter
from services.reporting.daily import Mover
from services.reporting.handlers import SERVICE, Handlers, StudentWriter
from services.reporting.pages import Pages, pages_router
from services.reporting.reading import Reader
from services.reporting.signals import SignalStore
from services.reporting.store import StudentStore, UnitStore
from shared.background import background
from shared.messaging.batching import Batcher
from shared.messaging.broker import subscribe
from shared.service import Running, build_app, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from fastapi import FastAPI

    from services.reporting.views import StudentEvent
    from shared.settings import Settings

MIN_PASSWORD = 8
RISK_PREFETCH = 1000
EVENTS_PREFETCH = 500
BATCH_WAIT_SECONDS = 0.1
"""Views may be this much behind: a fuller batch writes a student once for several of its events."""

DESCRIPTION = """How the students of a school authority are doing: levels of prevention, scores with their reasons, and how
fresh the data are, by school unit and by student. There are no names here, pseudonyms only."""


def build(settings: Settings, now: Callable[[], datetime] | None = None) -> FastAPI:
    """The service, not yet running. `now`: what time it is, with its offset from UTC; the database's clock if left out.

    Raises:
        SettingsError: there is no password for the views.
    """
    guard = password_guard(settings.secret("viewer_password", MIN_PASSWORD))
    running = connect(SERVICE, settings)
    clock = Clock(settings.zone, now or running.clock.now)
    students, units = StudentStore(running.database), UnitStore(running.database)
    climate, signals = ClimateStore(running.database), SignalStore(running.database)
    writer = StudentWriter(students, units, clock)
    batcher: Batcher[StudentEvent] = Batcher(
        writer.process, max_size=RISK_PREFETCH + EVENTS_PREFETCH, max_wait=BATCH_WAIT_SECONDS
    )
    handlers = Handlers(batcher, climate, signals)
    subscribe(running.broker, "reporting.risk", handlers.risk, prefetch=RISK_PREFETCH, title="reporting.risk")
    subscribe(running.broker, "reporting.events", handlers.events, prefetch=EVENTS_PREFETCH, title="reporting.events")
    counter, gauge = UnitCounter(students, units, clock), FreshnessGauge(units, clock)
    mover = Mover(students, units, clock)

    @asynccontextmanager
    async def start(_: Running) -> AsyncIterator[None]:
        for store in (students, units, climate, signals):
            await store.ensure_indexes()
        async with batcher, background(SERVICE, counter.rounds(), gauge.rounds(), mover.rounds()):
            yield

    pages = Pages(clock)
    show = show_with(pages.problem)
    app = build_app(running, start, title="Kvar reporting", description=DESCRIPTION, show=show)
    reader = Reader(students, units, climate, signals, clock)
    app.include_router(api_router(reader, guard))
    app.include_router(pages_router(reader, guard, pages))
    install_problems(app, show)
    app.add_middleware(SecurityHeaders)
    return app
