"""What is done beside the mails, every few seconds: counting open alerts, closing idle connections to the mail system."""

from __future__ import annotations

from services.notify.alert_store import Alerts
from services.notify.smtp import SmtpMailer
from shared import metrics
from shared.background import Rounds

SECONDS = 5.0


def upkeep(alerts: Alerts, mailer: SmtpMailer) -> tuple[Rounds, Rounds]:
    """The rounds of notify."""

    async def count_open() -> None:
        for state, count in (await alerts.counts()).items():
            metrics.OPEN_ALERTS.labels(state.value).set(count)

    return Rounds("idle connections", mailer.close_idle, SECONDS), Rounds("open alerts", count_open, SECONDS)
