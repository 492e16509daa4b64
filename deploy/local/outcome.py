"""What came out of a run, as the services' own interfaces tell it: school units, groups that worsen."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from deploy.local.layout import VIEWER

if TYPE_CHECKING:
    from deploy.local.layout import Ports, Secrets

SIGNAL_SECONDS = 60.0
"""How long signals of groups may come after the events; units are computed every few seconds here."""
_LOOK_SECONDS = 0.5
_SIGNALS_WAITING = re.compile(r"^kvar_scoring_signals_waiting_seconds (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Plain data as the interfaces answer.

    Attributes:
        worse: Signals of groups and units.
    """

    units: list[dict[str, Any]]
    worse: list[dict[str, Any]]


async def read_outcome(ports: Ports, secrets: Secrets) -> Outcome:
    """Asks reporting.

    Raises:
        httpx.HTTPError: it does not answer.
    """
    auth = (VIEWER, secrets.viewer_password)
    async with _client(ports, "reporting", auth=auth) as reporting:
        units = (await reporting.get("/v1/units")).raise_for_status().json()["units"]
        worse = []
        for unit in units:
            if unit["worse_signals"]:
                answer = await reporting.get(
                    f"/v1/units/{quote(unit['school_unit'], safe='')}", params={"authority": unit["authority"]}
                )
                found = answer.raise_for_status().json()["signals"]
                worse += [signal for signal in found if signal["state"] == "worse"]
    return Outcome(units, worse)


async def signals_computed(ports: Ports) -> bool:
    """Waits until no school unit waits for its signals any more; False when that takes too long."""
    deadline = time.monotonic() + SIGNAL_SECONDS
    async with _client(ports, "scoring") as scoring:
        while time.monotonic() < deadline:
            if await _waiting(scoring) == 0:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
    return False


async def _waiting(scoring: httpx.AsyncClient) -> float | None:
    """For how many seconds the longest waiting unit has; None where scoring does not say, as while it is restarted."""
    try:
        found = _SIGNALS_WAITING.search((await scoring.get("/metrics")).raise_for_status().text)
    except httpx.HTTPError:
        return None
    return float(found[1]) if found else None


def _client(ports: Ports, service: str, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=ports.url(ports.service(service)), timeout=10.0, trust_env=False, **options)
