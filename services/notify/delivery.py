"""From a stored alert to its end: what has to be told, when it is tried, what an outage means. The mail itself: `posting`.

Every alert is mailed exactly once but where nobody can know whether its mail is out: the lease keeps replicas apart, that the
content is about to be handed over is noted before, and the alert is marked as sent when the mail system has taken it. A mail
system that gives no answer, or a process that dies in between, leaves a mail that may be out. It is handed over again three
times at most, minutes apart, always with the same `Message-ID`, by which mail systems and readers recognise it; then it counts
as told. For the same reason an alert whose mail may be out goes to its end even when a withdrawal names it by then: the
withdrawal follows.

An outage (mail system, ingest) is nobody's fault: the alert stays due and is tried again with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo

from services.notify.alert_store import Alerts
from services.notify.alerts import RENEWAL, WAITING, Alert, AlertState, HandedOver, Telling
from services.notify.changes import decide as decide_change
from services.notify.letter import News
from services.notify.mail import Composer
from services.notify.marking import SERVICE, Marking
from services.notify.names import Names
from services.notify.places import situation
from services.notify.posting import Declined, Posting
from services.notify.smtp import Mailer, TurnedAway
from services.notify.store import People
from services.notify.verdicts import (
    Close,
    Gather,
    Join,
    Needless,
    Superseded,
    TellChange,
    TellLevel,
    TellWithdrawn,
    Wait,
    Withdrawn,
)
from services.notify.withdrawals import decide as decide_withdrawal
from shared.errors import Outage, Stale
from shared.events import AlertWithdrawn, RiskLevelChanged
from shared.waiting import through_outages

logger = logging.getLogger(__name__)


class Delivery:
    """Brings one student's alerts to the right person, in the order of the changes. Safe to run in many replicas."""

    def __init__(
        self,
        people: People,
        alerts: Alerts,
        names: Names,
        mailer: Mailer,
        composer: Composer,
        *,
        public_url: str,
        zone: tzinfo,
        clock: Callable[[], datetime],
    ) -> None:
        self._people = people
        self._alerts = alerts
        self._zone = zone
        self._clock = clock
        self._marking = Marking(alerts, clock)
        self._posting = Posting(
            people, names, mailer, composer, self._marking, public_url=public_url, zone=zone, clock=clock
        )

    async def deliver(self, student: str) -> None:
        """Mails what is due for a student; returns when nothing is left to do now.

        Raises:
            Outage: the database is away. What is stored stays due.
        """
        looked: set[str] = set()
        while (alert := await self._next(student, looked)) is not None:
            looked.add(alert.id)
            held = await self._alerts.claim(alert, self._clock())
            if held is None:
                return
            async with self._held(held):
                await self._attempt_or_postpone(held, abandoned=alert.handed_over if alert.abandoned else None)

    async def _next(self, student: str, looked: Collection[str]) -> Alert | None:
        """The oldest alert that is due, or that waits for somebody to tell while a newer one is due.

        One whose mail may be out comes before all others. One being mailed, or waiting out an outage, holds back those behind
        it. `looked`: what has been looked at already.
        """
        now = self._clock()
        opened = await self._alerts.open(student)
        due = {alert.id for alert in opened if alert.due_at is None or alert.due_at <= now}
        for alert in sorted(opened, key=lambda alert: not alert.unsettled):
            if alert.id in due or (due and alert.state in WAITING and alert.id not in looked):
                return alert
            if alert.state is AlertState.DUE and alert.due_at is not None:
                await self._alerts.defer(student, alert.due_at)
                return None
            if alert.state is AlertState.SENDING:
                return None
        return None

    @asynccontextmanager
    async def _held(self, alert: Alert) -> AsyncIterator[None]:
        """Keeps the lease for as long as it takes, be the mail system ever so slow."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEWAL.total_seconds())
                await through_outages(lambda: self._alerts.renew(alert, self._clock()), service=SERVICE)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _attempt_or_postpone(self, alert: Alert, *, abandoned: HandedOver | None) -> None:
        if abandoned is not None:
            await self._marking.unanswered(alert, abandoned, "the process that handed it over has ended")
            return
        try:
            await self._attempt(alert)
        except Stale as stale:
            logger.warning("left to another replica", extra={"reason": str(stale)})
        except Outage as outage:
            logger.warning("an alert waits for an outage to end", extra={"outage": str(outage), "alert": alert.id})
            await self._marking.postpone(
                alert,
                str(outage),
                refused=isinstance(outage, Declined | TurnedAway),
                refused_since=outage.since if isinstance(outage, Declined) else None,
            )
        except Exception as error:
            await self._marking.postpone(alert, type(error).__name__)
            raise

    async def _attempt(self, alert: Alert) -> None:
        news = await self._news(alert)
        if news is None:
            return
        statements = await self._people.statements(alert.student)
        today = self._clock().astimezone(self._zone).date()
        about = situation(statements, today.toordinal(), school_unit=news.said.school_unit)
        if about.deceased:
            await self._marking.finish(alert, AlertState.WITHHELD)
            return
        await self._posting.tell(alert, news, about)

    async def _news(self, alert: Alert) -> News | None:
        """What has to be told; nothing when the alert has come to its end, or waits, without a mail."""
        if isinstance(alert.change, AlertWithdrawn):
            return await self._withdrawal(alert, alert.change)
        return await self._level_change(alert, alert.change)

    async def _level_change(self, alert: Alert, said: RiskLevelChanged) -> News | None:
        while True:
            match decide_change(alert, await self._alerts.of(alert.student)):
                case Gather(changes):
                    for change in changes:
                        await self._marking.join(change, alert)
                case Withdrawn():
                    await self._marking.finish(alert, AlertState.WITHDRAWN)
                    return None
                case Superseded():
                    await self._marking.finish(alert, AlertState.SUPERSEDED)
                    return None
                case TellChange(telling):
                    return _news_of(said, telling)
                case aside:
                    await self._set_aside(alert, aside)
                    return None

    async def _withdrawal(self, alert: Alert, said: AlertWithdrawn) -> News | None:
        while True:
            match decide_withdrawal(alert, await self._alerts.of(alert.student), self._clock()):
                case Close(change):
                    await self._marking.finish(change, AlertState.WITHDRAWN, {"joined": None})
                case TellLevel(before):
                    return News(said.model_copy(update={"from_level": before}))
                case TellWithdrawn(changes, newest):
                    return News(newest, withdrawn=changes, withdrawal=said)
                case aside:
                    await self._set_aside(alert, aside)
                    return None

    async def _set_aside(self, alert: Alert, verdict: Wait | Join | Needless) -> None:
        match verdict:
            case Wait(until):
                await self._marking.look_again(alert, until)
            case Join(other):
                await self._marking.join(alert, other)
            case Needless():
                await self._marking.finish(alert, AlertState.NEEDLESS)


def _news_of(said: RiskLevelChanged, telling: Telling) -> News:
    """What has been gained since a level that nobody was told of is left out."""
    if telling != Telling(said.from_level):
        said = said.model_copy(update={"from_level": telling.before, "changes": {}})
    return News(said, telling=telling)
