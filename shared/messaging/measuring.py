"""What a service's messages are measured by: how many of which queue, and how long each took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from faststream import BaseMiddleware
from faststream.rabbit.subscriber import RabbitSubscriber

from shared import metrics

if TYPE_CHECKING:
    from types import TracebackType

    from faststream import ContextRepo


class MeasuringMiddleware(BaseMiddleware[Any, Any]):
    """Measures by the queue that a message came from. FastStream's own middleware takes the routing key, which is the
    publisher's choice: each new one would be some forty series more.
    """

    def __init__(self, message: Any, /, *, context: ContextRepo) -> None:
        super().__init__(message, context=context)
        subscriber = context.get_local("handler_")
        self._queue = subscriber.queue.name if isinstance(subscriber, RabbitSubscriber) else ""
        self._began = time.perf_counter()

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,  # noqa: ARG002 - the framework's signature
        exc_tb: TracebackType | None = None,  # noqa: ARG002
    ) -> bool | None:
        """Counts the message."""
        metrics.MESSAGES.labels(self._queue, "handled" if exc_type is None else "failed").inc()
        metrics.MESSAGE_SECONDS.labels(self._queue).observe(time.perf_counter() - self._began)
        return False
