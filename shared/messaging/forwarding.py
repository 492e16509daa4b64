"""A delivered message sent on to another place of the same broker: which of its properties travel, and when it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aio_pika
import aiormq
from aiormq import spec

from shared.error_text import named
from shared.errors import Outage

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage, HeadersType

ATTEMPT_HEADER = "x-kvar-attempt"
ERROR_HEADER = "x-kvar-error"
TRACE_HEADER = "x-kvar-traceback"
ORIGIN_HEADER = "x-kvar-routing-key"
PARKED_AT_HEADER = "x-kvar-parked-at"
OWN_HEADERS = frozenset({ATTEMPT_HEADER, ERROR_HEADER, TRACE_HEADER, ORIGIN_HEADER, PARKED_AT_HEADER})

USER_HEADER = "x-kvar-user-id"
"""Who published the original, as the broker verified it. Where there was no such user it may be anybody's word."""

TIMEOUT_SECONDS = 10.0

# What the broker notes about a message's past. Sent along, it would be taken for the copy's past: a copy that says that it
# once died in a queue is dropped, as going in a circle, when the ladder brings it back there.
_BROKER_HEADERS = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")


async def forward(message: AbstractIncomingMessage, exchange: str, routing_key: str, headers: HeadersType) -> None:
    """Publishes a copy; returns when the broker has confirmed that a queue holds it. The original is not touched.

    All properties travel but `expiration` and `user_id`, which the broker lets only its owner set: see `user_of`.

    Args:
        message: As it was delivered.
        exchange: Where the copy goes.
        routing_key: Its routing key.
        headers: All headers of the copy, see `lasting_headers`.

    Raises:
        Outage: not confirmed, or no queue is bound there. The copy may or may not be there.
    """
    properties = aio_pika.Message(
        message.body,
        headers=headers,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        timestamp=message.timestamp,
        type=message.type,
        app_id=message.app_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    ).properties
    try:
        confirmation = await message.channel.basic_publish(
            message.body,
            exchange=exchange,
            routing_key=routing_key,
            properties=properties,
            mandatory=True,
            timeout=TIMEOUT_SECONDS,
        )
    except (aiormq.AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise Outage(f"the broker did not confirm a copy to {exchange or routing_key}: {named(error)}") from error
    # A channel that does not raise for what was returned hands over the returned message instead of the confirmation.
    if not isinstance(confirmation, spec.Basic.Ack):
        raise Outage(f"no queue is bound to exchange {exchange or '(default)'} for {routing_key}")


def lasting_headers(message: AbstractIncomingMessage) -> HeadersType:
    """The headers that belong to the message itself, without the broker's notes on its past."""
    kept = {name: value for name, value in message.headers.items() if not name.startswith(_BROKER_HEADERS)}
    return {**kept, USER_HEADER: message.user_id} if message.user_id else kept


def user_of(message: AbstractIncomingMessage) -> str | None:
    """The user who published the message, or the original that it is a copy of. Only ever take rights away by it: a publisher
    without a verified user may write any name here.
    """
    named = message.user_id or message.headers.get(USER_HEADER)
    return named if isinstance(named, str) else None


def attempts(message: AbstractIncomingMessage) -> int:
    """How many times the message has gone down the ladder."""
    value = message.headers.get(ATTEMPT_HEADER, 0)
    return value if isinstance(value, int) else 0
