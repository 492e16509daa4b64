"""What is done beside the mails, every few seconds: counting open alerts, closing idle connections to the mail system."""

from __future__ import annotations

import asyncio
import logging

from services.notify.alert_store import Alerts
from services.notify.smtp import SmtpMailer
from shared import metrics
from shared.errors import Outage

SECONDS = 5.0

logger = logging.getLogger(__name__)


async def upkeep(alerts: Alerts, mailer: SmtpMailer) -> None:
    """Runs until it is cancelled."""
    while True:
        await mailer.close_idle()
        try:
            for state, count in (await alerts.counts()).items():
                metrics.OPEN_ALERTS.labels(state.value).set(count)
        except Outage as outage:
            logger.warning("open alerts cannot be counted", extra={"outage": str(outage)})
        await asyncio.sleep(SECONDS)
