"""A delivered message sent on to another place of the same broker: which of its properties travel, and when it is sure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import aio_pika
import aiormq
import orjson
from aiormq import spec
from pamqp import encode

from shared.error_text import named
from shared.errors import Outage
from shared.messaging import topology
from shared.messaging.budget import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import Any

    from aio_pika.abc import AbstractIncomingMessage, HeadersType

ATTEMPT_HEADER = "x-kvar-attempt"
ERROR_HEADER = "x-kvar-error"
TRACE_HEADER = "x-kvar-traceback"
ORIGIN_HEADER = "x-kvar-routing-key"
PARKED_AT_HEADER = "x-kvar-parked-at"
REPLAYED_HEADER = "x-kvar-replayed"
"""On what an operator has sent again: it is tried even while its authority is held."""
OWN_HEADERS = frozenset({ATTEMPT_HEADER, ERROR_HEADER, TRACE_HEADER, ORIGIN_HEADER, PARKED_AT_HEADER, REPLAYED_HEADER})

USER_HEADER = "x-kvar-user-id"
"""Who published the original, as the broker verified it. Where there was no such user it may be anybody's word."""

TIMEOUT_SECONDS = 10.0
LARGEST_HEADERS = 24 * 1024
"""Bytes of headers that a copy takes along. With an error and its stack beside them they must still be read: `properties`."""
LONGEST_READ = 1024 * 1024
"""Bytes of a body that it is worth to look into for whose it is; four times what any event may have."""
LONGEST_AUTHORITY = 32

_UNWRITABLE = (ValueError, TypeError, OverflowError, RecursionError, struct.error)

# What the broker notes about a message's past. Sent along, it would be taken for the copy's past: a copy that says that it
# once died in a queue is dropped, as going in a circle, when the ladder brings it back there.
_OUR_HEADERS = "x-kvar-"
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
    """The headers that belong to the message itself, without the broker's notes on its past.

    What cannot be written again (a text that is no UTF-8) and what goes beyond `LARGEST_HEADERS` is left out, ours last.
    """
    kept = {name: value for name, value in message.headers.items() if not name.startswith(_BROKER_HEADERS)}
    if message.user_id:
        kept[USER_HEADER] = message.user_id
    lasting, room = {}, LARGEST_HEADERS
    for name in sorted(kept, key=lambda name: (not name.startswith(_OUR_HEADERS), name)):
        size = _size({name: kept[name]})
        if size is not None and size <= room:
            lasting[name], room = kept[name], room - size
    return lasting


def user_of(message: AbstractIncomingMessage) -> str | None:
    """The user who published the message, or the original that it is a copy of. Only ever take rights away by it: a publisher
    without a verified user may write any name here.
    """
    user = message.user_id or message.headers.get(USER_HEADER)
    return user if isinstance(user, str) else None


def authority_of(message: AbstractIncomingMessage, users: AbstractSet[str] = frozenset()) -> str:
    """Whose message it is, as far as one can tell without reading all of it; `UNKNOWN` when not.

    Args:
        message: As it was delivered.
        users: Authorities that are users of the broker: what one of these has published is its own, whatever it says.
    """
    user = user_of(message)
    if user is not None and user in users:
        return user
    found = None
    if len(message.body) <= LONGEST_READ:
        try:
            head = orjson.loads(message.body)
        except orjson.JSONDecodeError:
            return UNKNOWN
        found = head.get("authority") if isinstance(head, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= LONGEST_AUTHORITY else UNKNOWN


def attempts(message: AbstractIncomingMessage) -> int:
    """How many times the message has gone down the ladder, from none to all its steps: anybody may have written it."""
    value = message.headers.get(ATTEMPT_HEADER, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), len(topology.RETRY_STEPS))


def is_replayed(message: AbstractIncomingMessage) -> bool:
    """Whether an operator has sent it again."""
    return REPLAYED_HEADER in message.headers


def _size(headers: dict[str, Any]) -> int | None:
    """Bytes of headers as they are sent; nothing when they cannot be."""
    try:
        return len(encode.field_table(headers))
    except _UNWRITABLE:
        return None
