"""A parked or held message as an operator sees it, read from what lies in its queue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from shared.messaging import topology
from shared.messaging.forwarding import (
    ERROR_HEADER,
    ORIGIN_HEADER,
    PARKED_AT_HEADER,
    TRACE_HEADER,
    attempts,
    authority_of,
)

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage

SHORT_ID_LENGTH = 12
LONGEST_TEXT = 300
"""Characters of a type or subject that are told: longer than any that a contract allows."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked message as an operator sees it. `id`: its message id, or a short one made from its content."""

    service: str
    id: str
    authority: str
    type: str
    subject: str
    routing_key: str
    attempts: int
    parked_at: datetime | None
    error: str
    traceback: str
    body: bytes

    @classmethod
    def of(cls, service: str, message: AbstractIncomingMessage) -> Parked:
        """Reads a message of a service's parking queue, or of those held."""
        headers = message.headers
        event = _event(message.body)
        died = _last_death(headers.get("x-death"))
        keys = died.get("routing-keys") or [message.routing_key]
        return cls(
            service=service,
            id=message.message_id or short_id(message.body),
            authority=authority_of(message),
            type=_text(event.get("type")),
            subject=_text(event.get("subject")),
            routing_key=str(headers.get(ORIGIN_HEADER) or keys[0] or ""),
            attempts=attempts(message),
            parked_at=_time(headers.get(PARKED_AT_HEADER)) or _time(died.get("time")),
            error=str(headers.get(ERROR_HEADER) or _death_reason(died)),
            traceback=str(headers.get(TRACE_HEADER) or ""),
            body=message.body,
        )


def short_id(body: bytes) -> str:
    """The id of a message that bears none: the same for the same content."""
    return hashlib.sha256(body).hexdigest()[:SHORT_ID_LENGTH]


def _event(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _last_death(deaths: Any) -> dict[str, Any]:
    """The broker's note on why it parked a message itself; none when a service did."""
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}


def _death_reason(died: dict[str, Any]) -> str:
    if not died:
        return "unknown"
    if died.get("reason") == "delivery_limit":
        return f"delivered {topology.DELIVERY_LIMIT} times without an answer in {died.get('queue')}: it may crash its reader"
    return f"{died.get('reason')} in {died.get('queue')}"


def _time(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
