"""What happens to a message whose handler failed: retry ladder, parking, or back to the queue.

A `Reject` (and anything we did not foresee after the ladder's last step) is parked at once with the error beside it; a
`Retry` or an unforeseen error goes one step down the ladder; an `Outage` that a handler lets through goes back to the
queue. When even that publishing fails, FastStream's nack puts the message back.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import aio_pika
from faststream import BaseMiddleware

from shared import metrics
from shared.errors import Outage, Reject
from shared.messaging import topology

if TYPE_CHECKING:
    from types import TracebackType

    from aio_pika.abc import AbstractIncomingMessage, HeadersType
    from faststream import ContextRepo

ATTEMPT_HEADER = "x-kvar-attempt"
ERROR_HEADER = "x-kvar-error"
TRACE_HEADER = "x-kvar-traceback"
ORIGIN_HEADER = "x-kvar-routing-key"
TRACE_LENGTH = 8_000
LOGGED_LENGTH = 300
TIMEOUT_SECONDS = 10.0

logger = logging.getLogger(__name__)


def failure_middleware(service: str) -> Any:
    """A FastStream middleware that settles failed messages of one service."""

    def build(message: Any, /, *, context: ContextRepo) -> BaseMiddleware[Any, Any]:
        return _FailureMiddleware(message, context=context, service=service)

    return build


class _FailureMiddleware(BaseMiddleware[Any, Any]):
    def __init__(self, message: Any, /, *, context: ContextRepo, service: str) -> None:
        super().__init__(message, context=context)
        self.service = service

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,  # noqa: ARG002 - the framework's signature
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,  # noqa: ARG002
    ) -> bool | None:
        if not isinstance(exc_val, Exception) or isinstance(exc_val, Outage):
            return False
        await _settle(self.msg, exc_val, self.service)
        return True


async def _settle(message: AbstractIncomingMessage, error: Exception, service: str) -> None:
    """Publishes the message to where it belongs now. Success means that it may be acknowledged."""
    attempt = _attempt(message)
    if isinstance(error, Reject) or attempt >= len(topology.RETRY_STEPS):
        await _park(message, error, service)
        return
    step = topology.RETRY_STEPS[attempt][0]
    headers: HeadersType = {ATTEMPT_HEADER: attempt + 1, ERROR_HEADER: _short(error)}
    channel = message.channel
    await channel.basic_publish(
        message.body,
        exchange=topology.retry_exchange(service, step),
        routing_key=message.routing_key or "",
        properties=_copy(message, headers).properties,
        mandatory=True,
        timeout=TIMEOUT_SECONDS,
    )
    metrics.RETRIED.labels(service, step).inc()
    logger.warning("message retried later", extra={"step": step, "error": _named(error)})


async def _park(message: AbstractIncomingMessage, error: Exception, service: str) -> None:
    trace = "".join(traceback.format_exception(error))[-TRACE_LENGTH:]
    headers: HeadersType = {
        ATTEMPT_HEADER: _attempt(message),
        ERROR_HEADER: _short(error),
        TRACE_HEADER: trace,
        ORIGIN_HEADER: message.routing_key or "",
    }
    await message.channel.basic_publish(
        message.body,
        exchange="",
        routing_key=topology.parking_queue(service),
        properties=_copy(message, headers).properties,
        mandatory=True,
        timeout=TIMEOUT_SECONDS,
    )
    metrics.PARKED.labels(service, type(error).__name__).inc()
    logger.error("message parked", extra={"error": _named(error)})


def _attempt(message: AbstractIncomingMessage) -> int:
    value = message.headers.get(ATTEMPT_HEADER, 0)
    return value if isinstance(value, int) else 0


def _named(error: Exception) -> str:
    """Kind and reason without the fields at fault: logs hold no data of persons."""
    return f"{type(error).__name__}: {error}"[:LOGGED_LENGTH]


def _short(error: Exception) -> str:
    details = getattr(error, "errors", ())
    fields = "; ".join(f"{item.path}: found {item.found}, expected {item.expected}" for item in details)
    return f"{type(error).__name__}: {error}" + (f" ({fields})" if fields else "")


def _copy(message: AbstractIncomingMessage, headers: HeadersType) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        headers={**message.headers, **headers},
        content_type=message.content_type,
        message_id=message.message_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
