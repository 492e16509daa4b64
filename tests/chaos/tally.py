"""Counters of programs that are killed all the time, added up over their lives."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from dataclasses import dataclass, field

import httpx

from deploy.local.broker import metrics_url
from tests.chaos.world import World

LOOK_SECONDS = 1.0
REDELIVERED = "rabbitmq_global_messages_redelivered_total"
SERVICE_COUNTERS = ("kvar_conflicts_total", "kvar_retried_total", "kvar_parked_total", "kvar_outages_total")
_SAMPLE = re.compile(r"^(?P<name>[a-z_:]+)(?:\{[^}]*\})? (?P<value>\S+)$", re.MULTILINE)


@dataclass
class Tally:
    """What was counted, at least: the last second before a kill is not seen."""

    world: World
    totals: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    last: dict[tuple[str, str], float] = field(default_factory=dict)

    async def keep_counting(self) -> None:
        """Looks every second, until cancelled."""
        sources = {one.name: f"{one.url}/metrics" for one in self.world.replicas}
        sources["rabbitmq"] = metrics_url(self.world.ports.broker)
        async with httpx.AsyncClient(timeout=LOOK_SECONDS, trust_env=False) as client:
            while True:
                await asyncio.gather(*(self._look(client, name, url) for name, url in sources.items()))
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, client: httpx.AsyncClient, source: str, url: str) -> None:
        with contextlib.suppress(httpx.HTTPError):  # it is being killed
            answer = await client.get(url)
            if answer.is_success:
                self.add(source, answer.text)

    def add(self, source: str, text: str) -> None:
        """Takes in what a program says; a counter that is smaller than before began anew."""
        seen: dict[str, float] = defaultdict(float)
        for match in _SAMPLE.finditer(text):
            if match["name"] in {REDELIVERED, *SERVICE_COUNTERS}:
                seen[match["name"]] += float(match["value"])
        for name, value in seen.items():
            before = self.last.get((source, name), 0.0)
            self.totals[name] += value - before if value >= before else value
            self.last[source, name] = value
