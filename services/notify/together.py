"""Many small questions to a store as few large ones, without a delay: what is asked while an answer is under way goes together.

A database round trip costs about the same for one document as for a hundred; code that works on one student at a time
stays as simple as it reads and is still fast when hundreds are in work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import Outage

AskT = TypeVar("AskT")
AnswerT = TypeVar("AnswerT")

MAX_SIZE = 200


class Together(Generic[AskT, AnswerT]):
    """`answer` gets the questions of everybody who waits, `MAX_SIZE` at most, and returns one answer for each, in order.

    One call is under way at a time. An `Outage` everybody hears whose question was in it; after any other error each half is
    asked by itself, down to the one question that brings it, so `answer` must be safe to repeat. How many may wait is bounded
    by the callers (a queue's prefetch, the number of workers).
    """

    def __init__(self, answer: Callable[[list[AskT]], Awaitable[Sequence[AnswerT]]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[AskT, asyncio.Future[AnswerT]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, ask: AskT) -> AnswerT:
        """The answer to one question."""
        answered: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answered))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await answered

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_SIZE], self._waiting[MAX_SIZE:]
                await self._one_call(batch)
        finally:
            self._worker = None

    async def _one_call(self, batch: list[tuple[AskT, asyncio.Future[AnswerT]]]) -> None:
        try:
            answers = await self._answer([ask for ask, _ in batch])
        except Exception as error:  # noqa: BLE001 - handed on to those whose questions bring it
            if len(batch) > 1 and not isinstance(error, Outage):
                middle = len(batch) // 2
                await self._one_call(batch[:middle])
                await self._one_call(batch[middle:])
                return
            for _, answered in batch:
                if not answered.done():
                    answered.set_exception(error)
            return
        for (_, answered), answer in zip(batch, answers, strict=True):
            if not answered.done():
                answered.set_result(answer)
