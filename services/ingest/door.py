"""The limits of the HTTP door: how much a request may bring, how many are in work, how long one may take, and who is next.

Each publisher has less than the whole of everything, so that no one of them can take the door: places for requests, room for
their bodies, and turns at the work, which come round publisher by publisher.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from services.ingest import bodies
from services.ingest.arrivals import Arrival, Door, Outcome, Receiver
from services.ingest.problems import Problem, unavailable
from services.ingest.turns import Turns
from shared.problems import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from fastapi import Request

    from shared.observability import Health

MEBIBYTE = 1024 * 1024

Clock = Callable[[], datetime]

_STATUS = {
    bodies.NotJson: HTTPStatus.BAD_REQUEST,
    bodies.WrongShape: HTTPStatus.UNPROCESSABLE_ENTITY,
    bodies.TooMany: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    bodies.UnknownContentType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """How much the door takes at once, of everybody and of each publisher.

    Attributes:
        requests, requests_each: admitted at once.
        room, room_each: bytes of their bodies. A body is in memory twice while it is split.
        work, work_each: requests of which some hundred items are archived and published at the same time; more would only wait
            for the same database.
        work_seconds: how long the work on a request may take, its waiting included.
        pause_seconds: before one who has no place hears so.
        body_seconds, body_rate: how long a body may take, and how many bytes a second prolong that.
    """

    requests: int = 32
    requests_each: int = 8
    room: int = 128 * MEBIBYTE
    room_each: int = 48 * MEBIBYTE
    work: int = 4
    work_each: int = 3
    work_seconds: float = 60.0
    pause_seconds: float = 1.0
    body_seconds: float = 15.0
    body_rate: int = 64 * 1024


class HttpDoor:
    """Lets requests into the intake."""

    def __init__(self, intake: Receiver, health: Health, clock: Clock, limits: DoorLimits | None = None) -> None:
        self._intake = intake
        self._health = health
        self._clock = clock
        self._limits = limits or DoorLimits()
        self._admitted: Counter[str] = Counter()
        self._room: Counter[str] = Counter()
        self._turns = Turns(self._limits.work, self._limits.work_each)

    async def take(self, request: Request, authority: str) -> list[Outcome]:
        """The outcome of each item of a request.

        Raises:
            Problem: the request as a whole cannot be taken.
            Outage: broker or database are away.
        """
        async with self.admission(authority, _declared_length(request)):
            items = await self._read_items(request)
            speaks_for = frozenset({authority})
            return await self.receive(authority, [Arrival(item, speaks_for, authority) for item in items])

    async def receive(self, publisher: str, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Takes items that are already there. `publisher`: in whose turn.

        Raises:
            Problem: 503 after a minute, or when the service has not started.
            Outage: broker or database are away.
        """
        if self._health.starting is not None:
            raise unavailable(f"The service is starting ({self._health.starting}). Nothing was accepted.")
        try:
            async with asyncio.timeout(self._limits.work_seconds):
                return await self._intake.receive(
                    arrivals, door=Door.HTTP, now=self._clock(), turn=lambda: self._turns.turn(publisher)
                )
        except TimeoutError as error:
            raise unavailable("It took too long. Nothing can be told as accepted; send the same again.") from error

    @asynccontextmanager
    async def admission(self, publisher: str, size: int) -> AsyncIterator[None]:
        """A place for one request as long as the block lasts. `size`: bytes that it needs room for.

        Raises:
            Problem: 429 when this publisher has no place left, 503 when nobody has; after a pause, so that who asks again at once
                does not take the time of the others.
        """
        if (refusal := self._refusal(publisher, size)) is not None:
            await asyncio.sleep(self._limits.pause_seconds)
            raise refusal
        self._admitted[publisher] += 1
        self._room[publisher] += size
        try:
            yield
        finally:
            self._admitted[publisher] -= 1
            self._room[publisher] -= size

    def _refusal(self, publisher: str, size: int) -> Problem | None:
        limits = self._limits
        if self._admitted[publisher] >= limits.requests_each or self._room[publisher] + size > limits.room_each:
            detail = (
                f"Too much of yours at once: at most {limits.requests_each} requests, {limits.room_each // MEBIBYTE} MiB. "
                "Nothing was accepted; send the same again."
            )
            return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        if self._admitted.total() >= limits.requests or self._room.total() + size > limits.room:
            return unavailable("Too many requests at once. Nothing was accepted.")
        return None

    async def _read_items(self, request: Request) -> list[bytes]:
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "bodies are taken uncompressed")
        body = await self._read_body(request)
        try:
            return bodies.split(body, request.headers.get("content-type", ""))
        except bodies.BodyError as error:
            accepted = {"Accept-Post": ", ".join(bodies.CONTENT_TYPES)}
            raise Problem(_STATUS[type(error)], str(error), headers=accepted) from error

    async def _read_body(self, request: Request) -> bytes:
        limits, loop = self._limits, asyncio.get_running_loop()
        body = bytearray()
        try:
            async with asyncio.timeout(limits.body_seconds) as deadline:
                until = loop.time() + limits.body_seconds
                async for part in _parts(request):
                    body += part
                    if len(body) > bodies.MOST_BYTES:
                        raise _too_long()
                    deadline.reschedule(until + len(body) / limits.body_rate)
        except TimeoutError as error:
            detail = (
                f"The body came too slowly: {limits.body_seconds:g} s are given, and one more for each {limits.body_rate} "
                "bytes that have come. Nothing was accepted; send the same again."
            )
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail, headers={"Connection": "close"}) from error
        return bytes(body)


def _declared_length(request: Request) -> int:
    """Bytes of the body as its sender says; the most there may be when nothing is said."""
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal():
        return bodies.MOST_BYTES
    if int(declared) > bodies.MOST_BYTES:
        raise _too_long()
    return int(declared)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    try:
        async for part in request.stream():
            yield part
    except ClientDisconnect as error:
        # Nobody hears this, and it is no fault of ours.
        raise Problem(HTTPStatus.BAD_REQUEST, "the connection ended before the body did") from error


def _too_long() -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {bodies.MOST_BYTES} bytes a request")
