"""What goes wrong with a request to ingest: all that `shared.problems` says, and that nothing was accepted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared.errors import Outage
from shared.problems import RETRY_AFTER_SECONDS, problem

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

logger = logging.getLogger(__name__)


class Problem(Exception):
    """Ends a request with problem details. `more`: further members of the answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def unavailable(detail: str) -> Problem:
    """Not now; nothing was accepted."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def install(app: FastAPI) -> None:
    """Answers `Problem`, and says of what is not the request's fault what became of its events."""

    @app.exception_handler(Problem)
    async def ended(request: Request, error: Problem) -> Response:
        return problem(request, error.status, error.detail, error.headers, error.more)

    @app.exception_handler(Outage)
    async def outage(request: Request, error: Outage) -> Response:
        logger.warning("a request met an outage", extra={"outage": str(error)})
        return await ended(
            request,
            unavailable(f"Broker or database cannot work ({error}). Nothing was accepted; send the same again."),
        )

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        # The server logs it, since the framework raises it again.
        detail = (
            f"A fault in Kvar ({type(error).__name__}). Nothing can be told as accepted; send the same again later."
        )
        return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)
