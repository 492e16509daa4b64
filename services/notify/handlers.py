"""What notify does with each message. Nothing is published: what goes out is mail.

`notify.events` brings `staff.changed.v1` and `enrolment.changed.v1`: kept, and alerts that waited for them become due.
`notify.risk` brings `risk.level_changed.v1` and `risk.alert_withdrawn.v1`: each stored as one alert, acknowledged, then mailed
where somebody has to be told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from services.notify.alert_documents import AlertEvent
from services.notify.alert_store import Alerts
from services.notify.alerts import OPEN
from services.notify.dispatch import Dispatcher
from services.notify.store import Kept, People
from shared import metrics
from shared.errors import Reject
from shared.events import (
    AlertWithdrawnEvent,
    AnyEvent,
    EnrolmentChangedEvent,
    RiskLevelChangedEvent,
    StaffChangedEvent,
)
from shared.waiting import through_outages

SERVICE = "notify"

PeopleEvent = StaffChangedEvent | EnrolmentChangedEvent


def people_handler(
    people: People, alerts: Alerts, dispatcher: Dispatcher, clock: Callable[[], datetime]
) -> Callable[[PeopleEvent], Awaitable[None]]:
    """Handler of `notify.events`. It raises `Reject` for a message of another type."""

    async def keep(event: AnyEvent) -> None:
        # Woken also by a repetition: the first delivery may have died between keeping and waking.
        match event:
            case StaffChangedEvent():
                kept = await people.keep_staff(event)
                found = await alerts.wake_for(event.authority, event.subject, event.data.scope, clock())
            case EnrolmentChangedEvent():
                kept = await people.keep_enrolment(event)
                found = await alerts.wake_student(event.subject, clock())
            case _:
                raise Reject(f"notify.events takes staff.changed and enrolment.changed only, not {event.type}")
        if kept is Kept.OLDER:
            metrics.OLDER_THAN_KNOWN.labels(SERVICE, event.authority, event.type).inc()
        if found:
            dispatcher.sweep_soon()

    async def handle(event: PeopleEvent) -> None:
        await through_outages(lambda: keep(event), service=SERVICE)

    return handle


def risk_handler(
    alerts: Alerts, dispatcher: Dispatcher, clock: Callable[[], datetime]
) -> Callable[[AlertEvent], Awaitable[None]]:
    """Handler of `notify.risk`: returns when the alert is stored, whether or not it can be mailed now.

    It raises `Reject` for a message of another type.
    """

    async def handle(event: AlertEvent) -> None:
        alert = _alert_event(event)
        state = await through_outages(lambda: alerts.add(alert, clock()), service=SERVICE)
        if state is not None and state not in OPEN:
            metrics.ALERTS.labels(state.value).inc()
        dispatcher.wake(event.subject)

    return handle


def _alert_event(event: AnyEvent) -> AlertEvent:
    if isinstance(event, RiskLevelChangedEvent | AlertWithdrawnEvent):
        return event
    raise Reject(f"notify.risk takes risk.level_changed and risk.alert_withdrawn only, not {event.type}")
