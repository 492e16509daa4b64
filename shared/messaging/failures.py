"""What happens to a message whose handler failed: retry ladder, parking, holding, or back to the queue.

A `Reject` (and anything we did not foresee after the ladder's last step) is parked at once with the error beside it; a
`Retry` or an unforeseen error goes one step down the ladder; an `Outage` that a handler lets through waits on the ladder's
first step without it counting as an attempt. What a process must not work on any more (see `intake`) goes back as if it
had never been delivered. When even that publishing fails, a nack puts the message back.

Parking has a budget for each authority (see `budget`). Of one that has spent it, messages go to `<service>.held` before
they are worked on, but for those that an operator has sent again and one now and then: the first that is handled ends it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from faststream import BaseMiddleware
from faststream.exceptions import NackMessage

from shared import metrics
from shared.error_text import cut, named, traced
from shared.errors import KvarError, Outage, Reject
from shared.messaging import topology
from shared.messaging.budget import ParkingBudget
from shared.messaging.forwarding import (
    ATTEMPT_HEADER,
    ERROR_HEADER,
    ORIGIN_HEADER,
    PARKED_AT_HEADER,
    TRACE_HEADER,
    attempts,
    authority_of,
    forward,
    is_replayed,
    lasting_headers,
)
from shared.messaging.intake import GivenBack

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from types import TracebackType

    from aio_pika.abc import AbstractIncomingMessage, HeadersType
    from faststream import ContextRepo

    from shared.messaging.intake import Intake

LONGEST_ERROR = 4_000
COPIES_AT_ONCE = 100
"""Copies that wait for their confirm at a time. Of 2,000 together a busy broker did not confirm all in 10 s, and what is not
confirmed is done again: the more wait, the more there is to do.
"""

logger = logging.getLogger(__name__)


class Held(KvarError):
    """Too many messages of this one's authority were parked in a row. Reaction: it waits unworked for an operator."""


class Failures:
    """How one service settles failed messages, and keeps from work what is likely to fail."""

    def __init__(self, intake: Intake, *, parking_budget: int = 0, users: AbstractSet[str] = frozenset()) -> None:
        """`parking_budget`: messages of one authority parked in a row before its further ones are held, 0 for no limit; `users`:
        authorities that are users of the broker.
        """
        self.intake = intake
        self._service = intake.service
        self._budget = ParkingBudget(parking_budget)
        self._users = users
        self._slots = asyncio.Semaphore(COPIES_AT_ONCE)
        metrics.AUTHORITIES_HELD.labels(self._service).set(0)
        metrics.HELD.labels(self._service)  # a counter that is there from the beginning shows its first rise

    def middleware(self, message: Any, /, *, context: ContextRepo) -> BaseMiddleware[Any, Any]:
        """For FastStream: settles this message."""
        return _FailureMiddleware(message, context=context, failures=self)

    def admit(self, message: AbstractIncomingMessage) -> None:
        """Before the work on a message.

        Raises:
            Held: it is not to be worked on now.
        """
        if not self._budget.held or is_replayed(message):
            return
        authority = authority_of(message, self._users)
        if not self._budget.may_try(authority, time.monotonic()):
            raise Held(f"{self._budget.limit} messages of authority {authority} in a row were parked")

    def succeeded(self, message: AbstractIncomingMessage) -> None:
        """A message was handled."""
        if self._budget.is_untouched:
            return
        authority = authority_of(message, self._users)
        if self._budget.succeeded(authority):
            metrics.AUTHORITIES_HELD.labels(self._service).set(self._budget.held)
            logger.warning("an authority's messages are worked on again", extra={"authority": authority})

    async def settle(self, message: AbstractIncomingMessage, error: Exception) -> None:
        """Publishes the message to where it belongs now. Success means that it may be acknowledged."""
        attempt = attempts(message)
        if isinstance(error, GivenBack):
            await self._give_back(message)
        elif isinstance(error, Held):
            await self._hold(message, error)
        elif isinstance(error, Outage):
            await self._retry(message, error, step=topology.RETRY_STEPS[0][0], attempt=attempt)
        elif not isinstance(error, Reject) and attempt < len(topology.RETRY_STEPS):
            await self._retry(message, error, step=topology.RETRY_STEPS[attempt][0], attempt=attempt + 1)
        else:
            await self._park_or_hold(message, error)

    async def _give_back(self, message: AbstractIncomingMessage) -> None:
        # Only when no consumer of ours could take it at once again.
        await self.intake.detached()
        exchange = topology.again_exchange(self._service)
        await self._forward(message, exchange, message.routing_key or "", lasting_headers(message))
        metrics.GIVEN_BACK.labels(self._service).inc()

    async def _retry(self, message: AbstractIncomingMessage, error: Exception, *, step: str, attempt: int) -> None:
        headers = {**lasting_headers(message), ATTEMPT_HEADER: attempt, ERROR_HEADER: _short(error)}
        await self._forward(message, topology.retry_exchange(self._service, step), message.routing_key or "", headers)
        metrics.RETRIED.labels(self._service, step).inc()
        logger.warning("message retried later", extra={"step": step, "error": named(error)})

    async def _park_or_hold(self, message: AbstractIncomingMessage, error: Exception) -> None:
        authority, held = authority_of(message, self._users), self._budget.held
        if not self._budget.may_park(authority, time.monotonic()):
            await self._hold(message, error)
            return
        if self._budget.held > held:
            logger.error("an authority's messages are held", extra={"authority": authority, "error": named(error)})
        try:
            await self._forward(message, "", topology.parking_queue(self._service), _noted(message, error))
        except BaseException:
            self._budget.not_parked(authority)
            raise
        finally:
            metrics.AUTHORITIES_HELD.labels(self._service).set(self._budget.held)
        metrics.PARKED.labels(self._service, type(error).__name__).inc()
        logger.error("message parked", extra={"error": named(error)})

    async def _hold(self, message: AbstractIncomingMessage, error: Exception) -> None:
        await self._forward(message, "", topology.held_queue(self._service), _noted(message, error))
        metrics.HELD.labels(self._service).inc()

    async def _forward(
        self, message: AbstractIncomingMessage, exchange: str, routing_key: str, headers: HeadersType
    ) -> None:
        async with self._slots:
            await forward(message, exchange, routing_key, headers)


class _FailureMiddleware(BaseMiddleware[Any, Any]):
    def __init__(self, message: Any, /, *, context: ContextRepo, failures: Failures) -> None:
        super().__init__(message, context=context)
        self.failures = failures

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        with self.failures.intake.holding():
            self.failures.admit(self.msg)
            return await call_next(msg)

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,  # noqa: ARG002 - the framework's signature
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,  # noqa: ARG002
    ) -> bool | None:
        if exc_val is None:
            self.failures.succeeded(self.msg)
            return False
        if not isinstance(exc_val, Exception):
            return False
        try:
            await self.failures.settle(self.msg, exc_val)
        except Outage as outage:
            logger.warning("a failed message goes back to its queue", extra={"outage": str(outage)})
            raise NackMessage from None  # the framework would else log the error with all that it came from
        return True


def _noted(message: AbstractIncomingMessage, error: Exception) -> HeadersType:
    """Headers with all that an operator must know, and what it takes to send the message again."""
    return {
        **lasting_headers(message),
        ATTEMPT_HEADER: attempts(message),
        ERROR_HEADER: _short(error),
        TRACE_HEADER: "" if isinstance(error, Held) else traced(error),
        ORIGIN_HEADER: message.routing_key or "",
        PARKED_AT_HEADER: datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _short(error: Exception) -> str:
    """Kind and reason, and of bad content the fields at fault."""
    details = getattr(error, "errors", ()) if isinstance(error, Reject) else ()
    fields = "; ".join(f"{item.path}: expected {item.expected}" for item in details)
    return cut(named(error) + (f" ({fields})" if fields else ""), LONGEST_ERROR)
