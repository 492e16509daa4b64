"""From a stored alert to a mail that the mail system has taken.

Every alert is mailed at least once and, but for one case, exactly once: the lease keeps replicas apart, and the alert is
marked as sent when the mail system has taken the mail. Between these two lies a moment; a process that dies in it leaves
an alert that another replica mails again when the lease has run out. That second mail bears the same `Message-ID`, by
which mail systems and readers recognise it. For the same reason an alert whose mail may be out is mailed to its end even when
a withdrawal names it by then: the withdrawal follows.

An outage (mail system, ingest) is nobody's fault: the alert stays due and is tried again with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, tzinfo

from services.notify import alert_documents
from services.notify.alert_store import Alerts
from services.notify.alerts import GRACE, RENEWAL, WAITING, Alert, AlertState, Telling
from services.notify.changes import decide as decide_change
from services.notify.letter import Name, News, write
from services.notify.mail import Composer, UnusableAddress
from services.notify.marking import SERVICE, Marking
from services.notify.names import Names, Protected
from services.notify.places import Situation, situation
from services.notify.recipients import Recipient, StaffMember, choose, coach_may_follow
from services.notify.smtp import Mailer, Refused, Unanswered
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
from shared import metrics
from shared.errors import Outage
from shared.events import AlertWithdrawn, RiskLevelChanged, StaffRole
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
        self._names = names
        self._mailer = mailer
        self._composer = composer
        self._public_url = public_url
        self._zone = zone
        self._clock = clock
        self._marking = Marking(alerts, clock)

    async def deliver(self, student: str) -> None:
        """Mails what is due for a student; returns when nothing is left to do now.

        Raises:
            Outage: the database is away. What is stored stays due.
        """
        looked: set[str] = set()
        while (alert := await self._claim_next(student, looked)) is not None:
            looked.add(alert.id)
            async with self._held(alert):
                await self._attempt_or_postpone(alert)

    async def _claim_next(self, student: str, looked: Collection[str]) -> Alert | None:
        """The oldest alert that is due, or that waits for somebody to tell while a newer one is due.

        One whose mail may be out comes before all others. One being mailed, or waiting out an outage, holds back those behind
        it. `looked`: what has been looked at already.
        """
        now = self._clock()
        opened = await self._alerts.open(student)
        due = {alert.id for alert in opened if alert.due_at is None or alert.due_at <= now}
        for alert in sorted(opened, key=lambda alert: not alert.unsettled):
            if alert.id in due or (due and alert.state in WAITING and alert.id not in looked):
                return await self._alerts.claim(alert, now)
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

    async def _attempt_or_postpone(self, alert: Alert) -> None:
        try:
            await self._attempt(alert)
        except Outage as outage:
            logger.warning("an alert waits for an outage to end", extra={"outage": str(outage), "alert": alert.id})
            await self._marking.postpone(alert, str(outage), begun=alert.begun or isinstance(outage, Unanswered))
        except Exception as error:
            await self._marking.postpone(alert, type(error).__name__, begun=alert.begun)
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
        await self._tell(alert, news, about)

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

    async def _tell(self, alert: Alert, news: News, about: Situation) -> None:
        recipient = await self._told_before(alert, news)
        if recipient is None:
            staff = await self._people.staff_for(alert.authority, about)
            recipient = self._recipient(alert, about, staff)
        else:
            news = replace(news, told_before=True)
        if recipient is None:
            await self._marking.wait_for_somebody(alert, about)
            return
        name, about = await self._name(alert.student, about)
        noted = await self._marking.note(alert, news.telling)
        if noted is not None:
            await self._hand_over(noted, news, about, recipient, name)

    async def _hand_over(
        self, alert: Alert, news: News, about: Situation, recipient: Recipient, name: Name | None
    ) -> None:
        letter = write(alert.student, news, about, recipient, name=name, public_url=self._public_url, zone=self._zone)
        replies_to = [change.joined or change.id for change in news.withdrawn]
        try:
            await self._mailer.send(self._composer.compose(alert, letter, recipient, self._clock(), replies_to))
        except (Refused, UnusableAddress) as refusal:
            logger.warning("an address was refused", extra={"staff": recipient.member.staff, "alert": alert.id})
            await self._marking.pass_over(alert, recipient, str(refusal))
            return
        if alert.withdraws is None:  # withdrawals wait for each other on purpose
            metrics.EVENT_TO_ALERT.observe((self._clock() - alert.change.received_at).total_seconds())
        told = alert_documents.told(recipient.member.staff, recipient.role.value, news.said.to_level)
        await self._marking.finish(alert, AlertState.SENT, told)

    async def _told_before(self, alert: Alert, news: News) -> Recipient | None:
        """The person who got the mail that no longer applies, while they can be told."""
        told = news.withdrawn[-1].told if news.withdrawn else None
        if told is None:
            return None
        member = await self._people.member(alert.authority, told[0])
        if member is None or not member.active or (member.staff, member.email) in alert.refused:
            return None
        return Recipient(member, StaffRole(told[1]))

    def _recipient(self, alert: Alert, about: Situation, staff: list[StaffMember]) -> Recipient | None:
        if self._clock() < alert.created_at + GRACE and coach_may_follow(about, staff, alert.refused):
            return None
        return choose(about, staff, alert.refused)

    async def _name(self, student: str, about: Situation) -> tuple[Name | None, Situation]:
        if about.protected:
            return None, about
        try:
            return await self._names.name(student), about
        except Protected:
            return None, replace(about, protected=True)


def _news_of(said: RiskLevelChanged, telling: Telling) -> News:
    """What has been gained since a level that nobody was told of is left out."""
    if telling != Telling(said.from_level):
        said = said.model_copy(update={"from_level": telling.before, "changes": {}})
    return News(said, telling=telling)
