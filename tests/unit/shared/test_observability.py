"""Logs are one JSON object a line; readiness names what is missing."""

from __future__ import annotations

import json
import subprocess
import sys

from shared.errors import Outage
from shared.observability import Health

PROGRAM = """
import logging
from shared.observability import configure_logging
configure_logging("scoring", "INFO")
logging.getLogger("x").info("räknat", extra={"students": 3, "color_message": "noise"})
logging.getLogger("uvicorn.access").info("GET /students/p_secret")
try:
    raise ValueError("trasig")
except ValueError:
    logging.getLogger("x").exception("failed")
"""


def test_logs_are_json_lines_without_requests() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    first, second = (json.loads(line) for line in ended.stderr.splitlines())
    assert {name: first[name] for name in ("level", "logger", "message", "service", "students")} == {
        "level": "INFO",
        "logger": "x",
        "message": "räknat",
        "service": "scoring",
        "students": 3,
    }
    assert "color_message" not in first
    assert "time" in first
    assert second["exc_info"].endswith("ValueError")


async def test_readiness_names_what_is_missing() -> None:
    async def well() -> None:
        return None

    async def away() -> None:
        raise Outage("the database: connection refused")

    async def broken() -> None:
        raise ValueError("a text that may hold anything")

    health = Health()
    assert await health.missing() == {"start": "starting"}
    health.starting = None
    health.checks = {"broker": well}
    assert await health.missing() == {}
    health.checks["database"] = away
    assert await health.missing() == {"database": "the database: connection refused"}
    health.checks["work"] = broken
    assert (await health.missing())["work"] == "ValueError"
