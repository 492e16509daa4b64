"""Ingest's two doors, as a publisher uses them: HTTP with an answer for each event, AMQP with the broker's confirmation.

Sending again is always safe: ingest recognises a repetition by source and id. So both doors try again, for a while, when
nobody answers; and both raise `DoorError` when that did not help or the answer says that trying is of no use.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import aio_pika
import httpx
import orjson
from aio_pika.exceptions import AMQPException, ChannelNotFoundEntity, PublishError

if TYPE_CHECKING:
    from types import TracebackType

    from deploy.demo.events import Event

EXCHANGE = "sis.events"
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
REQUEST_TIMEOUT_SECONDS = 60.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
BUSY = {408, 429, 502, 503, 504}


class DoorError(Exception):
    """Events could not be delivered; the message says what the other side answered and what to look at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch. `unanswered`: taken by the broker, ingest's answer is not heard on this way."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    unanswered: int = 0
    rejections: list[dict[str, Any]] = field(default_factory=list)
    """The rejected items as ingest describes them: id, errors with path, found, expected."""


class Door(Protocol):
    """One way into ingest, as an asynchronous context manager."""

    async def __aenter__(self) -> Self:
        """Connects where the way needs a connection."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnects."""

    async def publish(self, events: list[Event]) -> Answer:
        """Delivers the batch and returns when the other side has taken responsibility for it.

        Raises:
            DoorError: when it did not within the patience, or refuses for good.
        """


class Patience:
    """Pauses between attempts, longer each time, until the patience of this delivery is over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._pause = FIRST_PAUSE_SECONDS

    async def wait(self, what: str, at_least: float = 0.0) -> None:
        """Waits before the next attempt; raises `DoorError` naming `what` went wrong when the time is up."""
        pause = max(self._pause, at_least)
        if time.monotonic() + pause > self._until:
            raise DoorError(f"tried for {self._seconds:.0f} s: {what}")
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)


class HttpDoor:
    """`POST /v1/events` with newline-delimited JSON."""

    def __init__(
        self, url: str, token: str, *, patience_seconds: float, client: httpx.AsyncClient | None = None
    ) -> None:
        self._url = url.rstrip("/") + "/v1/events"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        self._patience_seconds = patience_seconds
        # A proxy named in the environment is for other hosts than this one.
        here = httpx.URL(url).host in LOOPBACK
        self._client = client or httpx.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS, trust_env=not here)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def publish(self, events: list[Event]) -> Answer:
        """See `Door.publish`."""
        body = b"\n".join(orjson.dumps(event) for event in events)
        patience = Patience(self._patience_seconds)
        while True:
            try:
                response = await self._client.post(self._url, content=body, headers=self._headers)
            except httpx.TransportError as error:
                await patience.wait(f"{self._url} does not answer ({error!r})")
                continue
            if response.status_code not in BUSY:
                return _answer(self._url, response, len(events))
            await patience.wait(f"{self._url} answers {response.status_code}", _retry_after(response))


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait; at most the longest pause, since resending costs little."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isdigit() else 0.0


def _answer(url: str, response: httpx.Response, sent: int) -> Answer:
    if response.status_code not in {202, 207}:
        raise DoorError(f"{url} refuses the events: {response.status_code} {response.text[:500]}")
    body = response.json()
    answer = Answer(
        body["accepted"],
        body["duplicate"],
        body["rejected"],
        rejections=[item for item in body["items"] if item["status"] == "rejected"],
    )
    if answer.accepted + answer.duplicate + answer.rejected != sent:
        raise DoorError(f"{url} answers for another number of events than the {sent} sent: {response.text[:500]}")
    return answer


class AmqpDoor:
    """The topic exchange `sis.events`: persistent, mandatory, with confirms.

    A confirmed event is safe with the broker; whether ingest accepts it shows in its list of rejected events.
    """

    def __init__(self, url: str, *, patience_seconds: float) -> None:
        self._url = url
        self._patience_seconds = patience_seconds
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._exchange: aio_pika.abc.AbstractExchange | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._disconnect()

    async def publish(self, events: list[Event]) -> Answer:
        """See `Door.publish`."""
        patience = Patience(self._patience_seconds)
        while True:
            try:
                await self._publish_once(events)
            except ChannelNotFoundEntity:
                await self._disconnect()
                await patience.wait(f"the broker has no exchange {EXCHANGE}: is ingest running?")
            except PublishError:
                await patience.wait(f"nothing is bound to {EXCHANGE}: is ingest running?")
            except (AMQPException, OSError, RuntimeError) as error:
                # The driver says RuntimeError where a channel or connection closed under a waiting publisher.
                await self._disconnect()
                await patience.wait(f"the broker does not answer ({error!r})")
            else:
                return Answer(unanswered=len(events))

    async def _publish_once(self, events: list[Event]) -> None:
        exchange = await self._connected()
        results = await asyncio.gather(
            *(exchange.publish(_message(event), routing_key=_routing_key(event), mandatory=True) for event in events),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _connected(self) -> aio_pika.abc.AbstractExchange:
        async with self._connecting:
            if self._exchange is None:
                self._connection = await aio_pika.connect(self._url)
                channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                # Looked up, not declared: the exchange belongs to ingest.
                self._exchange = await channel.get_exchange(EXCHANGE, ensure=True)
            return self._exchange

    async def _disconnect(self) -> None:
        async with self._connecting:
            connection, self._connection, self._exchange = self._connection, None, None
            if connection is not None:
                await connection.close()


def _message(event: Event) -> aio_pika.Message:
    return aio_pika.Message(
        orjson.dumps(event),
        content_type="application/cloudevents+json",
        message_id=event["id"],
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _routing_key(event: Event) -> str:
    """`2480.attendance.recorded`, from the type without its `kvar.` and version."""
    return f"{event['authority']}.{'.'.join(event['type'].split('.')[1:-1])}"


def open_door(url: str, token: str, *, patience_seconds: float) -> Door:
    """The door at this address: `http(s)://` or `amqp(s)://`, where the token is not used.

    Raises:
        DoorError: for any other scheme.
    """
    scheme = url.partition("://")[0]
    if scheme in {"http", "https"}:
        return HttpDoor(url, token, patience_seconds=patience_seconds)
    if scheme in {"amqp", "amqps"}:
        return AmqpDoor(url, patience_seconds=patience_seconds)
    raise DoorError(f"expected an address that begins with http:// or amqp://, found {url!r}")
