"""Waiting for what will come back: in place, with growing pauses, without giving up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared import metrics
from shared.errors import Outage

ResultT = TypeVar("ResultT")

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

logger = logging.getLogger(__name__)


async def through_outages(work: Callable[[], Awaitable[ResultT]], *, service: str) -> ResultT:
    """Does the work, again after each `Outage`, for as long as it takes (until cancelled). Jitter keeps replicas apart."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await work()
        except Outage as outage:
            metrics.OUTAGES.labels(service).inc()
            logger.warning("waiting for an outage to end", extra={"outage": str(outage)})
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
