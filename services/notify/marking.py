"""Writing down what became of an alert whose lease is held."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.notify import alert_documents
from services.notify.alert_store import Alerts
from services.notify.alerts import GRACE, OPEN, Alert, AlertState, Refusal, Telling, look_after, retry_after
from services.notify.places import Situation
from services.notify.recipients import Recipient
from shared import metrics
from shared.waiting import through_outages

SERVICE = "notify"

logger = logging.getLogger(__name__)


class Marking:
    """Each method writes through outages: a mail that is out must be marked, or it would go out again.

    What another replica has changed meanwhile stays as it is.
    """

    def __init__(self, alerts: Alerts, clock: Callable[[], datetime]) -> None:
        self._alerts = alerts
        self._clock = clock

    async def finish(self, alert: Alert, state: AlertState, fields: dict[str, Any] | None = None) -> None:
        """The alert has come to its end."""
        final = {"due_at": None, "problem": None, **(fields or {})}
        if state is AlertState.SENT:
            final["sent_at"] = self._clock()
        await self._change(alert, state, final, first_time=alert.state in OPEN)

    async def join(self, alert: Alert, other: Alert) -> None:
        """The other one tells of it too."""
        await self.finish(alert, AlertState.JOINED, {"joined": other.id})

    async def look_again(self, alert: Alert, when: datetime) -> None:
        """It waits for another alert."""
        await self._change(alert, AlertState.DUE, {"due_at": when}, first_time=False)

    async def postpone(self, alert: Alert, problem: str, *, begun: bool) -> None:
        """It waits for an outage to end. `begun`: the mail may be out."""
        failures = alert.failures + 1
        due_at = self._clock() + retry_after(failures)
        fields = {"failures": failures, "problem": problem, "due_at": due_at, "begun": begun or None}
        await self._change(alert, AlertState.DUE, fields, first_time=False)

    async def pass_over(self, alert: Alert, recipient: Recipient, answer: str) -> None:
        """Notes the refusal of an address and leaves the alert due at once, for the next in line."""
        refusal = Refusal(recipient.member.staff, recipient.member.email, answer)
        fields = {**alert_documents.refusals((*alert.refusals, refusal)), "due_at": self._clock()}
        await self._change(alert, AlertState.DUE, fields, first_time=False)

    async def wait_for_somebody(self, alert: Alert, about: Situation) -> None:
        """There is nobody to tell; it is looked at again when the time is up that others are told after."""
        state = AlertState.UNDELIVERABLE if alert.refusals else AlertState.PENDING
        failures, now, patient_until = alert.failures + 1, self._clock(), alert.created_at + GRACE
        due_at = now + look_after(failures)
        if now < patient_until:
            due_at = min(due_at, patient_until)
        fields = {**alert_documents.sought(about), "failures": failures, "due_at": due_at}
        await self._change(alert, state, fields, first_time=not alert.waited)

    async def note(self, alert: Alert, telling: Telling | None) -> Alert | None:
        """The alert with what its mail is about to tell; nothing when the lease has been lost."""
        if alert.telling == telling:
            return alert
        fields = alert_documents.telling(telling)
        written = await through_outages(lambda: self._alerts.note(alert, fields), service=SERVICE)
        return replace(alert, telling=telling) if written else None

    async def _change(self, alert: Alert, state: AlertState, fields: dict[str, Any], *, first_time: bool) -> None:
        written = await through_outages(
            lambda: self._alerts.change(alert, {**fields, "state": state.value}),
            service=SERVICE,
        )
        if not written:
            logger.warning("an alert was changed by another replica", extra={"alert": alert.id})
        elif first_time:
            metrics.ALERTS.labels(state.value).inc()
