"""Composition of ingest: the only place that wires."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from services.ingest import api, openapi, problems, rejected_api, students_api
from services.ingest.access import Access
from services.ingest.alias_map import AliasMap
from services.ingest.door import DoorLimits, HttpDoor
from services.ingest.handlers import Publishers, SisHandler
from services.ingest.identities import Identities
from services.ingest.identity_store import Aliases, People, StaffRecords
from services.ingest.intake import Intake
from services.ingest.pseudonyms import KeyedHashes, new_pseudonym
from services.ingest.publishing import Publishing, Sweeper
from services.ingest.rejected import RejectedItems
from services.ingest.rejected_api import RejectedDesk
from services.ingest.spaces import Spaces
from services.ingest.store import EventArchive
from services.ingest.students import Students
from shared.background import background
from shared.events import BEHIND_TYPES, DOOR_TYPES
from shared.messaging import topology
from shared.messaging.broker import confirmed_publish, publisher, subscribe
from shared.service import Running, build_app, connect
from shared.settings import SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from faststream.rabbit import RabbitBroker

    from shared.settings import Settings

PREFETCH = 200
"""Messages in memory at once, each as large as the broker lets through (1 MiB, if it is set as ours is)."""

DESCRIPTION = """The door of Kvar: school information systems publish attendance, grades, enrolments, staff and climate here.
Behind it a student is a pseudonym; names stay in this service."""


def build(settings: Settings, clock: Callable[[], datetime] | None = None, limits: DoorLimits | None = None) -> FastAPI:
    """The service. `clock`: what time it is, in UTC; the database's clock if left out. `limits`: of the HTTP door.

    Raises:
        SettingsError: a secret is missing.
    """
    tokens = publisher_tokens(settings)
    access = Access(tokens, settings.secret("service_token", 16))
    hashes = KeyedHashes(settings.secret("pseudonym_key", 32))
    spaces = Spaces(settings.spaces, settings.space_namers)
    running = connect("ingest", settings)
    now = clock or running.clock.now
    archive, people, aliases = EventArchive(running.database), People(running.database), Aliases(running.database)
    rejected = RejectedItems(running.database)
    publishing = Publishing(confirmed_publish(running.broker, topology.EVENTS), settings.shards)
    alias_map = AliasMap(aliases, people, new_pseudonym)
    identities = Identities(hashes, alias_map, people, StaffRecords(running.database))
    intake = Intake(archive, identities, rejected, publishing, zone=settings.zone, spaces=spaces)
    sweeper = Sweeper(archive, publishing, now)
    publishers = Publishers(frozenset(tokens))
    handler = SisHandler(intake, now, max_size=settings.batch_size, max_wait=settings.batch_wait_ms / 1000)
    subscribe(
        running.broker,
        "ingest.sis",
        handler.event_published,
        prefetch=PREFETCH,
        title="ingest.sis",
        decoder=publishers.decode,
    )
    document_publishers(running.broker)

    @asynccontextmanager
    async def start(_: Running) -> AsyncIterator[None]:
        await archive.prepare()
        await aliases.prepare()
        await rejected.prepare()
        async with handler.batcher, background("ingest", sweeper.rounds()):
            yield

    app = build_app(running, start, title="Kvar ingest", description=DESCRIPTION)
    problems.install(app)
    door = HttpDoor(intake, running.health, now, limits)
    app.include_router(api.router(door, people, access))
    app.include_router(students_api.router(Students(hashes, spaces, aliases, people), access))
    app.include_router(rejected_api.router(RejectedDesk(rejected, door, publishers.authorities), access))
    openapi.install(app)
    return app


def publisher_tokens(settings: Settings) -> dict[str, str]:
    """Authority to token.

    Raises:
        SettingsError: none, or two authorities with one token.
    """
    tokens = {code: token.get_secret_value() for code, token in settings.publishers.items()}
    if not tokens:
        raise SettingsError('KVAR_PUBLISHERS: at least one authority with its token is needed here, {"2480": "…"}')
    if len(set(tokens.values())) < len(tokens):
        raise SettingsError("KVAR_PUBLISHERS: each authority needs a token of its own")
    return tokens


def document_publishers(broker: RabbitBroker) -> None:
    """Declares what goes out, for the AsyncAPI document."""
    for kind in DOOR_TYPES:
        family = kind.removeprefix("kvar.").rsplit(".", 1)[0]
        key = family if family in topology.UNSHARDED else f"s00.{family}"
        publisher(broker, topology.EVENTS, key, BEHIND_TYPES[kind], title=f"events.{family}")
