"""What a running broker says about its virtual hosts and queues."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from urllib.parse import quote

import httpx

_COUNT = re.compile(
    r"^rabbitmq_detailed_queue_messages_(?P<state>ready|unacked)\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(slots=True)
class Counts:
    """Messages of one queue: waiting, and delivered but not acknowledged. A moment old: see `broker_programs`."""

    ready: int = 0
    unacknowledged: int = 0

    @property
    def total(self) -> int:
        """Everything that somebody still has to work on."""
        return self.ready + self.unacknowledged


class Management:
    """The node's management interface, as the guest user (whom RabbitMQ admits from this machine only)."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, auth=("guest", "guest"), timeout=10.0, trust_env=False)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def create_vhost(self, name: str) -> None:
        """Make a virtual host; no error when there is one."""
        self._client.put(f"/api/vhosts/{quote(name, safe='')}").raise_for_status()

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host with everything in it."""
        self._client.delete(f"/api/vhosts/{quote(name, safe='')}").raise_for_status()

    def queue_names(self, vhost: str = "/") -> list[str]:
        """All queues of a virtual host, sorted."""
        answer = self._client.get(f"/api/queues/{quote(vhost, safe='')}", params={"columns": "name"})
        answer.raise_for_status()
        return sorted(entry["name"] for entry in answer.json())


class QueueCounts:
    """Counts of all queues of a virtual host, from the node's metrics."""

    def __init__(self, metrics_url: str, vhost: str = "/") -> None:
        self._url = f"{metrics_url}/detailed"
        self._vhost = vhost
        self._client = httpx.AsyncClient(timeout=10.0, trust_env=False)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def read(self) -> dict[str, Counts]:
        """Counts by name of queue.

        Raises:
            httpx.HTTPError: The broker does not answer.
        """
        answer = await self._client.get(self._url, params={"family": "queue_coarse_metrics", "vhost": self._vhost})
        answer.raise_for_status()
        return parse_counts(answer.text)


class Drain:
    """Whether all work is done: no message waits or is being worked on in any queue but the parking ones.

    Counts are a moment old, so one look is not enough: nothing may have been there for `quiet_seconds`, at the first look and
    at the last. `quiet_seconds` must be longer than counts may be old.
    """

    def __init__(self, counts: QueueCounts, quiet_seconds: float) -> None:
        self._counts = counts
        self._quiet_seconds = quiet_seconds
        self._empty_since: float | None = None

    async def is_done(self) -> bool:
        """One look. A broker that does not answer, because it is being restarted, has work left."""
        try:
            has_work = bool(pending(await self._counts.read()))
        except httpx.HTTPError:
            has_work = True
        if has_work:
            self._empty_since = None
            return False
        now = monotonic()
        if self._empty_since is None:
            self._empty_since = now
        if now - self._empty_since < self._quiet_seconds:
            return False
        self._empty_since = None
        return True


def pending(counts: dict[str, Counts]) -> dict[str, int]:
    """Messages by queue that somebody will still work on; parked and held ones wait for a person."""
    return {name: count.total for name, count in counts.items() if count.total and not is_parking(name)}


def parked(counts: dict[str, Counts]) -> dict[str, int]:
    """Messages that are parked or held, by queue."""
    return {name: count.total for name, count in counts.items() if count.total and is_parking(name)}


def is_parking(queue: str) -> bool:
    """Whether the messages of a queue wait for a person: parked, or held beside such."""
    return queue.endswith((".parking", ".held"))


def parse_counts(text: str) -> dict[str, Counts]:
    """Read the node's detailed metrics."""
    found: dict[str, Counts] = {}
    for match in _COUNT.finditer(text):
        counts = found.setdefault(_label(match["labels"], "queue"), Counts())
        number = int(float(match["count"]))
        if match["state"] == "ready":
            counts.ready = number
        else:
            counts.unacknowledged = number
    return found


def _label(labels: str, name: str) -> str:
    pairs: Iterable[tuple[str, str]] = _LABEL.findall(labels)
    return dict(pairs)[name]
