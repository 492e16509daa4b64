"""The limits of the HTTP door: how much a request may bring, how many are in work, how long one may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from services.ingest import bodies
from services.ingest.arrivals import Arrival, Door, Outcome, Receiver
from services.ingest.problems import Problem, unavailable

if TYPE_CHECKING:
    from fastapi import Request

    from shared.observability import Health

MOST_ADMITTED = 32
"""Requests whose bodies may be in memory together (16 MiB each at worst)."""
IN_WORK = 4
"""Of these, how many are archived and published at the same time; more would only wait for the same database."""
DEADLINE_SECONDS = 60.0

Clock = Callable[[], datetime]

_STATUS = {
    bodies.NotJson: HTTPStatus.BAD_REQUEST,
    bodies.WrongShape: HTTPStatus.UNPROCESSABLE_ENTITY,
    bodies.TooMany: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    bodies.UnknownContentType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


class HttpDoor:
    """Lets requests into the intake."""

    def __init__(self, intake: Receiver, health: Health, clock: Clock) -> None:
        self._intake = intake
        self._health = health
        self._clock = clock
        self._admitted = 0
        self._slots = asyncio.Semaphore(IN_WORK)

    async def take(self, request: Request, authority: str) -> list[Outcome]:
        """The outcome of each item of a request.

        Raises:
            Problem: the request as a whole cannot be taken.
            Outage: broker or database are away.
        """
        async with self._admission():
            items = await read_items(request)
            return await self.receive([Arrival(item, frozenset({authority}), authority) for item in items])

    async def receive(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Takes items that are already read.

        Raises:
            Problem: 503 after a minute, or when the service has not started.
            Outage: broker or database are away.
        """
        if self._health.starting is not None:
            raise unavailable(f"The service is starting ({self._health.starting}). Nothing was accepted.")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._slots:
                return await self._intake.receive(arrivals, door=Door.HTTP, now=self._clock())
        except TimeoutError as error:
            raise unavailable("It took too long. Nothing can be told as accepted; send the same again.") from error

    @asynccontextmanager
    async def _admission(self) -> AsyncIterator[None]:
        if self._admitted >= MOST_ADMITTED:
            raise unavailable("Too many requests at once. Nothing was accepted.")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1


async def read_items(request: Request) -> list[object]:
    """The items of a request.

    Raises:
        Problem: too long, or nothing that can be read.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "bodies are taken uncompressed")
    body = await _read_body(request)
    try:
        return bodies.items_of(body, request.headers.get("content-type", ""))
    except bodies.BodyError as error:
        accepted = {"Accept-Post": ", ".join(bodies.CONTENT_TYPES)}
        raise Problem(_STATUS[type(error)], str(error), headers=accepted) from error


async def _read_body(request: Request) -> bytes:
    too_long = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {bodies.MOST_BYTES} bytes a request")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bodies.MOST_BYTES:
        raise too_long
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bodies.MOST_BYTES:
            raise too_long
    return bytes(body)
