"""Composition of notify: what it consists of and how the parts hang together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.notify.alert_store import Alerts
from services.notify.api import alerts_router
from services.notify.delivery import Delivery
from services.notify.dispatch import Dispatcher
from services.notify.handlers import people_handler, risk_handler
from services.notify.mail import Composer
from services.notify.names import IngestNames
from services.notify.smtp import SmtpMailer, smtp_server
from services.notify.store import People
from services.notify.upkeep import upkeep
from shared.background import background
from shared.messaging.broker import subscribe
from shared.service import Running, Start, build_app, connect
from shared.settings import Settings

NAME = "notify"
DESCRIPTION = (
    "Tells the right adult by e-mail when a student's level changes; shows operators what became of each alert."
)
TOKEN_LENGTH = 16
PREFETCH = 200


def build(settings: Settings) -> FastAPI:
    """The service, ready to be served once.

    Raises:
        SettingsError: the service token is missing, or the address of the mail server or of the sender cannot be used.
    """
    token = settings.secret("service_token", TOKEN_LENGTH)
    mailer = SmtpMailer(smtp_server(settings.smtp_url))
    running = connect(NAME, settings)
    people, alerts = People(running.database, settings.zone), Alerts(running.database)
    names = IngestNames(settings.ingest_url, token)
    delivery = Delivery(
        people,
        alerts,
        names,
        mailer,
        Composer(settings.mail_from),
        public_url=settings.public_url,
        zone=settings.zone,
        clock=running.clock.now,
    )
    dispatcher = Dispatcher(delivery.deliver, lambda limit: alerts.due_students(running.clock.now(), limit))
    _subscribe(running, people, alerts, dispatcher)
    start = _start(people, alerts, names, mailer, dispatcher)
    app = build_app(running, start, title="Kvar notify", description=DESCRIPTION)
    app.include_router(alerts_router(alerts, token))
    return app


def _subscribe(running: Running, people: People, alerts: Alerts, dispatcher: Dispatcher) -> None:
    on_people = people_handler(people, alerts, dispatcher, running.clock.now)
    on_risk = risk_handler(alerts, dispatcher, running.clock.now)
    subscribe(running.broker, "notify.events", on_people, prefetch=PREFETCH, title="notify.events")
    subscribe(running.broker, "notify.risk", on_risk, prefetch=PREFETCH, title="notify.risk")


def _start(people: People, alerts: Alerts, names: IngestNames, mailer: SmtpMailer, dispatcher: Dispatcher) -> Start:
    @asynccontextmanager
    async def start(_: Running) -> AsyncIterator[None]:
        await people.prepare()
        await alerts.prepare()
        async with names, dispatcher, background(NAME, *upkeep(alerts, mailer)):
            yield
        await mailer.close_idle(every=True)

    return start
