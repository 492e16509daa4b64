"""Whether a process takes messages from its queues: stopped while the database is away, or when too much has been parked.

A message that waits in place for an outage to end is held by this process: no healthy replica can have it, and after half
an hour the broker closes the channel (`consumer_timeout`). So when an outage lasts, the consumers are cancelled and what was
held goes back; a probe waits for the end of the outage, then they are attached again.

What goes back is published anew through the service's own exchange, with confirm, and only then acknowledged. A requeue
would count towards the queue's delivery limit, and an outage that comes and goes would park messages that nothing is
wrong with: 3.10 and 4.0 count every requeue, by nack, closed channel and lost connection alike [tried].
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from aio_pika.exceptions import AMQPError
from faststream.rabbit.subscriber import RabbitSubscriber

from shared import metrics
from shared.error_text import named
from shared.errors import Outage

if TYPE_CHECKING:
    from faststream.rabbit import RabbitBroker

PROBE_EVERY_SECONDS = 2.0
RETRY_PROBE_SECONDS = 0.5
DETACH_SECONDS = 5.0
"""How long the broker may take to confirm that a consumer is cancelled; then it is away, and its consumers with it."""
LETTING_GO_SECONDS = 10.0

logger = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[None]]
"""Proves that messages can be worked on. Raises `Outage` when not."""


class Cause(StrEnum):
    """Why a process takes no messages."""

    OUTAGE = "outage"
    PARKING_BUDGET = "parking_budget"


class GivenBack(Outage):
    """The process stopped taking messages while it held this one. Reaction: back to its queue as if never delivered."""


class Intake:
    """Attaches and detaches the consumers of one process, and counts what is parked in a row."""

    def __init__(self, service: str, *, parking_budget: int = 0, patience_seconds: float = 10.0) -> None:
        """`parking_budget`: messages parked in a row before the process stops, 0 for no limit; `patience_seconds`: how long an
        outage lasts before it does.
        """
        self.service = service
        self.reason: str | None = None
        self._patience_seconds = patience_seconds
        self._parking_budget = parking_budget
        self._parked_in_a_row = 0
        self._spent = asyncio.Event()
        self._detached = asyncio.Event()
        self._held: set[asyncio.Task[object]] = set()
        self._let_go: set[asyncio.Task[object]] = set()
        for cause in Cause:
            metrics.INTAKE_STOPPED.labels(service, cause.value).set(0)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Around the work on one message.

        Raises:
            GivenBack: the process takes no messages now; the work was cut off, or not begun.
        """
        if self.reason is not None:
            raise GivenBack(self.reason)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: messages are worked on in tasks
        self._held.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Only our own cancelling becomes an error of the message; somebody else's stays what it is.
            if task not in self._let_go or task.uncancel() > 0:
                raise
            raise GivenBack(self.reason or "detached") from None
        finally:
            self._held.discard(task)
            self._let_go.discard(task)

    def may_park(self) -> bool:
        """Whether one more message may be parked; counts it. When not, the process stops taking messages."""
        if self._parking_budget and self._parked_in_a_row >= self._parking_budget:
            self._spend()
            return False
        self._parked_in_a_row += 1
        return True

    def not_parked(self) -> None:
        """The message counted last could not be parked after all."""
        self._parked_in_a_row = max(0, self._parked_in_a_row - 1)

    def succeeded(self) -> None:
        """A message was handled."""
        self._parked_in_a_row = 0

    async def detached(self) -> None:
        """Returns when no consumer is attached, or within `DETACH_SECONDS` when nobody watches."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DETACH_SECONDS):
                await self._detached.wait()

    @asynccontextmanager
    async def watching(self, broker: RabbitBroker, probe: Probe) -> AsyncIterator[None]:
        """Detaches and attaches consumers as need be until the context ends. The broker's subscribers must be started."""
        task = asyncio.create_task(self._watch(broker, probe), name="intake")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _spend(self) -> None:
        if self._spent.is_set():
            return
        self._stop(
            Cause.PARKING_BUDGET,
            f"{self._parked_in_a_row} messages in a row were parked: mend the cause, restart, replay what is parked",
        )
        self._spent.set()

    def _stop(self, cause: Cause, reason: str) -> None:
        self.reason = reason
        metrics.INTAKE_STOPPED.labels(self.service, cause.value).set(1)
        logger.error("no messages are taken any more", extra={"cause": cause.value, "reason": reason})

    async def _watch(self, broker: RabbitBroker, probe: Probe) -> None:
        while not self._spent.is_set():
            try:
                async with asyncio.timeout(PROBE_EVERY_SECONDS):
                    await self._spent.wait()
            except TimeoutError:
                problem = await self._lasting_problem(probe)
                if problem is not None and not self._spent.is_set():
                    await self._sit_out(broker, probe, problem)
        await self._detach(broker)

    async def _lasting_problem(self, probe: Probe) -> str | None:
        began = time.monotonic()
        while (problem := await self._problem(probe)) is not None:
            if time.monotonic() - began >= self._patience_seconds or self._spent.is_set():
                return problem
            await asyncio.sleep(RETRY_PROBE_SECONDS)
        return None

    async def _problem(self, probe: Probe) -> str | None:
        try:
            async with asyncio.timeout(self._patience_seconds):
                await probe()
        except Outage as outage:
            return str(outage)
        except TimeoutError:
            return f"no answer within {self._patience_seconds:g} s"
        return None

    async def _sit_out(self, broker: RabbitBroker, probe: Probe, problem: str) -> None:
        self._stop(Cause.OUTAGE, f"waiting for an outage to end: {problem}")
        await self._detach(broker)
        await self._let_go_of_messages()
        await self._end_of_outage(probe)
        if self._spent.is_set():
            return
        self._detached.clear()
        self.reason = None
        await self._attach(broker)
        metrics.INTAKE_STOPPED.labels(self.service, Cause.OUTAGE.value).set(0)
        logger.warning("the outage is over, messages are taken again")

    async def _end_of_outage(self, probe: Probe) -> None:
        while True:
            if await self._problem(probe) is None:
                return
            await asyncio.sleep(RETRY_PROBE_SECONDS)

    async def _detach(self, broker: RabbitBroker) -> None:
        for subscriber in _subscribers(broker):
            await _cancel(subscriber)
        self._detached.set()

    async def _let_go_of_messages(self) -> None:
        """Cuts off the work on every message held; each then goes back by itself."""
        deadline = time.monotonic() + LETTING_GO_SECONDS
        while held := self._held - self._let_go:
            self._let_go |= held
            for task in held:
                task.cancel()
            await asyncio.wait(held, timeout=max(0.0, deadline - time.monotonic()))

    async def _attach(self, broker: RabbitBroker) -> None:
        waiting = _subscribers(broker)
        while waiting:
            try:
                await _consume(waiting[-1])
                waiting.pop()
            except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
                logger.warning("a consumer is not attached yet", extra={"error": named(error)})
                await asyncio.sleep(RETRY_PROBE_SECONDS)


def _subscribers(broker: RabbitBroker) -> list[RabbitSubscriber]:
    return [subscriber for subscriber in broker.subscribers if isinstance(subscriber, RabbitSubscriber)]


# FastStream's `stop()` waits for handlers before it cancels the consumer, the other way round than an outage needs, and
# `start()` prepares the handlers anew: what the pinned version keeps in these two attributes is used directly.


async def _cancel(subscriber: RabbitSubscriber) -> None:
    queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
    subscriber._consumer_tag = None  # noqa: SLF001
    if queue is None or tag is None:
        return
    try:
        async with asyncio.timeout(DETACH_SECONDS):
            await queue.cancel(tag)
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        logger.warning("a consumer ended with its channel", extra={"queue": queue.name, "error": type(error).__name__})


async def _consume(subscriber: RabbitSubscriber) -> None:
    queue = subscriber._queue_obj  # noqa: SLF001
    if queue is None or subscriber._consumer_tag is not None:  # noqa: SLF001
        return
    async with asyncio.timeout(DETACH_SECONDS):
        subscriber._consumer_tag = await queue.consume(subscriber.consume)  # type: ignore[arg-type]  # noqa: SLF001
