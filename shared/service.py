"""The life of a service: HTTP at once, then broker and database as soon as they are there, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from fastapi import FastAPI, Response

from shared import mongo, problems
from shared.background import background
from shared.database_clock import DatabaseClock
from shared.error_text import named
from shared.errors import Outage
from shared.http_server import build_server
from shared.messaging.alarm import ALARM, is_blocked
from shared.messaging.broker import attached, build_broker, declare_topology, proof_that_messages_are_taken
from shared.messaging.failures import Failures
from shared.messaging.intake import Intake
from shared.observability import Health, configure_logging, operations_router
from shared.settings import Settings, SettingsError, load_settings
from shared.waiting import Waits, report_to, through_outages

if TYPE_CHECKING:
    from faststream.rabbit import RabbitBroker

GC_THRESHOLDS = (50_000, 20, 50)
"""Young collections every 700 objects cost a tenth of the throughput of a service that makes thousands a batch."""
STARTUP_FAILED = 3
CLOSE_SECONDS = 2.0
STOP_SECONDS = 20.0
"""More than handlers get to finish what they have in hand."""
CHECK_SECONDS = 2.0

logger = logging.getLogger(__name__)

Start = Callable[["Running"], AbstractAsyncContextManager[None]]
"""What a service does between being connected and consuming; everything it opens is closed when the context ends."""


@dataclass
class Running:
    """What a service has while it runs. Subscribers and publishers are attached to `broker` before it consumes.

    `clock`: the time that all replicas share; what is compared with a time in the database is read from it.
    """

    name: str
    settings: Settings
    broker: RabbitBroker
    database: mongo.Database
    clock: DatabaseClock
    intake: Intake
    waits: Waits
    health: Health = field(default_factory=Health)


def connect(name: str, settings: Settings) -> Running:
    """The service's broker and database, not yet connected."""
    intake = Intake(name, patience_seconds=settings.outage_patience_seconds)
    failures = Failures(intake, parking_budget=settings.parking_budget, users=settings.publishers.keys())
    database = mongo.connect(settings.mongo_url, settings.mongo_database, service=name)
    return Running(
        name=name,
        settings=settings,
        intake=intake,
        broker=build_broker(settings.amqp_url, name, failures),
        database=database,
        clock=DatabaseClock(database),
        waits=Waits(lambda: mongo.writable(database, name)),
    )


def build_app(
    running: Running, start: Start, *, title: str, description: str, show: problems.Show = problems.problem
) -> FastAPI:
    """The service's HTTP application; its lifespan owns all the rest. `show`: how it answers an error."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stack = AsyncExitStack()
        starting = asyncio.create_task(_start_when_possible(running, start, stack))
        try:
            yield
        finally:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            await stack.aclose()
            await _close(running.database)

    app = FastAPI(title=title, description=description, version="1", lifespan=lifespan, openapi_url=None)
    app.state.running = running

    @functools.cache
    def document() -> bytes:
        return orjson.dumps(app.openapi())

    # FastAPI's own route writes it anew for each request, which anybody may make.
    @app.get("/openapi.json", include_in_schema=False)
    async def openapi_document() -> Response:
        return Response(document(), media_type="application/json")

    app.include_router(operations_router(running.health))
    problems.install(app, show)
    return app


async def _close(database: mongo.Database) -> None:
    """Closes the connections. The driver says goodbye and waits up to 30 s for an answer: here not so long, nor in the loop."""
    closing = threading.Thread(target=database.client.close, daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, CLOSE_SECONDS)


async def _start_when_possible(running: Running, start: Start, stack: AsyncExitStack) -> None:
    async def attempt() -> None:
        async with AsyncExitStack() as trial:
            try:
                await _start(running, start, trial)
            except Outage as outage:
                running.health.starting = f"{running.health.starting} ({outage})"
                raise
            stack.push_async_exit(trial.pop_all())

    report_to(running.waits)
    try:
        await through_outages(attempt, service=running.name)
    except Exception as error:
        running.health.starting = f"failed: {named(error)}"
        logger.exception("the service cannot start")
        raise
    running.health.starting = None
    logger.info("ready")


async def _start(running: Running, start: Start, stack: AsyncExitStack) -> None:
    broker = running.broker
    running.health.starting = "waiting for the database"
    await mongo.writable(running.database, running.name)
    await running.clock.look()
    await stack.enter_async_context(background(running.name, running.clock.rounds()))
    running.health.starting = "waiting for the broker"
    stack.push_async_callback(_stop, broker)
    try:
        await broker.connect()
        await declare_topology(broker, running.settings.shards)
        await stack.enter_async_context(start(running))
        running.health.starting = "attaching consumers"
        await broker.start()
    except CONNECTION_EXCEPTIONS as error:
        # Among them RuntimeError and StopAsyncIteration: how the driver says that a connection was cut in the very first moment.
        raise Outage(f"the broker: {named(error)}") from error
    # Stopped first, so that handlers in flight still have what `start` opened; later calls find nothing left to do.
    stack.push_async_callback(_stop, broker)
    await stack.enter_async_context(running.intake.watching(broker, running.waits.probe))
    prove = proof_that_messages_are_taken(broker)
    running.health.checks = {
        "intake": lambda: _intake_check(running),
        "database": lambda: _database_check(running),
        "broker": lambda: _broker_check(running, prove),
        "work": lambda: _work_check(running),
    }


async def _stop(broker: RabbitBroker) -> None:
    """Ends consuming and the connection. In an alarm the broker does not hear that; it finds out by the cut."""
    connection = broker._connection  # noqa: SLF001 - FastStream has no public way to it
    if connection is None:
        return
    try:
        async with asyncio.timeout(CLOSE_SECONDS if is_blocked(broker) else STOP_SECONDS):
            await broker.stop()
    except Exception as error:  # noqa: BLE001 - what else is open must still be closed
        logger.warning("the connection to the broker was not closed in order", extra={"error": error})
        # What is not closed would be made again, against all cancelling; what is kept would be used by the next start.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await connection.close()
        broker._connection = broker._channel = None  # noqa: SLF001
        broker.config.disconnect()


async def _intake_check(running: Running) -> str | None:
    return running.intake.reason


async def _database_check(running: Running) -> str | None:
    # The driver looks for a server for 10 s: who asks for health has given up by then.
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await running.waits.probe()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    return None


async def _work_check(running: Running) -> str | None:
    return running.waits.reason()


async def _broker_check(running: Running, prove: Callable[[float], Awaitable[None]]) -> str | None:
    broker = running.broker
    connection = broker._connection  # noqa: SLF001 - FastStream's ping() sleeps between looks
    if connection is None or not connection.connected.is_set():
        return "no connection to the broker"
    if is_blocked(broker):
        return ALARM
    if broker.publishers:
        await prove(CHECK_SECONDS)
    if running.intake.reason is not None:
        return None  # without consumers on purpose, which the check of the intake says
    missing = await attached(broker)
    return f"no consumer on {', '.join(missing)}" if missing else None


def run(name: str, build: Callable[[Settings], FastAPI]) -> None:
    """Reads the settings, builds the service and runs it until SIGTERM or SIGINT; then it stops consuming, finishes what is in
    work, and closes. Exit status 2, with the variable named on standard error, when the settings cannot be used.
    """
    try:
        settings = load_settings()
        app = build(settings)
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings: {error}\n")
        raise SystemExit(2) from error
    configure_logging(name, settings.log_level)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    server = build_server(app, host=settings.http_host, port=settings.http_port)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILED)
