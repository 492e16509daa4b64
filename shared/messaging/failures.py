"""What happens to a message whose handler failed: retry ladder, parking, or back to the queue.

A `Reject` (and anything we did not foresee after the ladder's last step) is parked at once with the error beside it; a
`Retry` or an unforeseen error goes one step down the ladder; an `Outage` that a handler lets through waits on the ladder's
first step without it counting as an attempt. What a process must not work on any more (see `intake`) goes back as if it
had never been delivered. When even that publishing fails, FastStream's nack puts the message back.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from faststream import BaseMiddleware

from shared import metrics
from shared.error_text import cut, named, traced
from shared.errors import Outage, Reject
from shared.messaging import topology
from shared.messaging.forwarding import (
    ATTEMPT_HEADER,
    ERROR_HEADER,
    ORIGIN_HEADER,
    PARKED_AT_HEADER,
    TRACE_HEADER,
    attempts,
    forward,
    lasting_headers,
)
from shared.messaging.intake import GivenBack

if TYPE_CHECKING:
    from types import TracebackType

    from aio_pika.abc import AbstractIncomingMessage
    from faststream import ContextRepo

    from shared.messaging.intake import Intake

LONGEST_ERROR = 4_000

logger = logging.getLogger(__name__)


def failure_middleware(intake: Intake) -> Any:
    """A FastStream middleware that settles failed messages of one service."""

    def build(message: Any, /, *, context: ContextRepo) -> BaseMiddleware[Any, Any]:
        return _FailureMiddleware(message, context=context, intake=intake)

    return build


class _FailureMiddleware(BaseMiddleware[Any, Any]):
    def __init__(self, message: Any, /, *, context: ContextRepo, intake: Intake) -> None:
        super().__init__(message, context=context)
        self.intake = intake

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        with self.intake.holding():
            return await call_next(msg)

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,  # noqa: ARG002 - the framework's signature
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,  # noqa: ARG002
    ) -> bool | None:
        if exc_val is None:
            self.intake.succeeded()
            return False
        if not isinstance(exc_val, Exception):
            return False
        await _settle(self.msg, exc_val, self.intake)
        return True


async def _settle(message: AbstractIncomingMessage, error: Exception, intake: Intake) -> None:
    """Publishes the message to where it belongs now. Success means that it may be acknowledged."""
    attempt = attempts(message)
    if isinstance(error, GivenBack):
        await _give_back(message, intake)
    elif isinstance(error, Outage):
        await _retry(message, error, intake.service, step=topology.RETRY_STEPS[0][0], attempt=attempt)
    elif not isinstance(error, Reject) and attempt < len(topology.RETRY_STEPS):
        await _retry(message, error, intake.service, step=topology.RETRY_STEPS[attempt][0], attempt=attempt + 1)
    elif intake.may_park():
        try:
            await _park(message, error, intake.service)
        except BaseException:
            intake.not_parked()
            raise
    else:
        await _give_back(message, intake)


async def _give_back(message: AbstractIncomingMessage, intake: Intake) -> None:
    # Only when no consumer of ours could take it at once again.
    await intake.detached()
    await forward(message, topology.again_exchange(intake.service), message.routing_key or "", lasting_headers(message))
    metrics.GIVEN_BACK.labels(intake.service).inc()


async def _retry(message: AbstractIncomingMessage, error: Exception, service: str, *, step: str, attempt: int) -> None:
    headers = {**lasting_headers(message), ATTEMPT_HEADER: attempt, ERROR_HEADER: _short(error)}
    await forward(message, topology.retry_exchange(service, step), message.routing_key or "", headers)
    metrics.RETRIED.labels(service, step).inc()
    logger.warning("message retried later", extra={"step": step, "error": named(error)})


async def _park(message: AbstractIncomingMessage, error: Exception, service: str) -> None:
    headers = {
        **lasting_headers(message),
        ATTEMPT_HEADER: attempts(message),
        ERROR_HEADER: _short(error),
        TRACE_HEADER: traced(error),
        ORIGIN_HEADER: message.routing_key or "",
        PARKED_AT_HEADER: datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    await forward(message, "", topology.parking_queue(service), headers)
    metrics.PARKED.labels(service, type(error).__name__).inc()
    logger.error("message parked", extra={"error": named(error)})


def _short(error: Exception) -> str:
    """Kind and reason, and of bad content the fields at fault."""
    details = getattr(error, "errors", ()) if isinstance(error, Reject) else ()
    fields = "; ".join(f"{item.path}: found {item.found}, expected {item.expected}" for item in details)
    return cut(named(error) + (f" ({fields})" if fields else ""), LONGEST_ERROR)
