"""JSON logs on standard error, without personal data, and the three pages that operators ask every service for."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pythonjsonlogger.core import RESERVED_ATTRS

from shared.error_text import named
from shared.errors import Outage
from shared.log_lines import LineFormatter

Check = Callable[[], Awaitable[str | None]]
"""Returns what is missing, or nothing when all is well."""


def configure_logging(service: str, level: str) -> None:
    """One JSON object a line. Requests are not logged: their paths would name students."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": LineFormatter,
                    "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
                    "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
                    "static_fields": {"service": service},
                    "reserved_attrs": [*RESERVED_ATTRS, "color_message"],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "uvicorn.access": {"handlers": [], "propagate": False},
                "aio_pika": {"level": "ERROR"},
                "aiormq": {"level": "ERROR"},
                # At DEBUG these tell whole commands, and what was asked for.
                **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "pymongo")},
            },
        }
    )


@dataclass
class Health:
    """Whether a service can do its work. `starting` tells why it has not started yet; `checks` are asked each time."""

    starting: str | None = "starting"
    checks: dict[str, Check] = field(default_factory=dict)

    async def missing(self) -> dict[str, str]:
        """What keeps the service from working, by name; empty when ready."""
        if self.starting is not None:
            return {"start": self.starting}
        found = {}
        for name, check in self.checks.items():
            try:
                problem = await check()
            except Outage as outage:
                problem = str(outage)
            except Exception as error:  # noqa: BLE001 - whatever fails in a check is what keeps the service from working
                problem = named(error)
            if problem is not None:
                found[name] = problem
        return found


def operations_router(health: Health) -> APIRouter:
    """`/health/live`, `/health/ready` and `/metrics`."""
    router = APIRouter(tags=["operations"])

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "live"}

    @router.get("/health/ready", responses={503: {"description": "what is missing"}})
    async def ready() -> JSONResponse:
        """Consumers are attached and the database takes writes."""
        missing = await health.missing()
        return JSONResponse(
            {"status": "not ready" if missing else "ready", "missing": missing}, 503 if missing else 200
        )

    @router.get("/metrics", response_class=Response)
    async def metrics_page() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
