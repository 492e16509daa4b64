"""The demo: plays an input through the running stack, waits until all work is done, and says what came out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from deploy.demo.player import NotDrained, play
from deploy.local import mails
from deploy.local.broker import metrics_url
from deploy.local.outcome import Outcome, read_outcome, signals_computed
from deploy.local.queues import Drain, QueueCounts, parked, pending
from deploy.local.report import alerts_shown, figures, units_table, worse_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console

    from deploy.demo.events import DayOfEvents, Source
    from deploy.demo.player import PlayResult
    from deploy.local.stack import Stack
    from deploy.local.supervisor import Supervisor

DRAIN_SECONDS = 90.0
"""How long the last work may take after the last event was accepted; the first steps of the retry ladder fit in."""
QUIET_SECONDS = 2.0
_LOOK_SECONDS = 0.2
_PLAIN_STEPS = 10


class Input(Protocol):
    """What can be played: the simulator's term or a data set."""

    @property
    def source(self) -> Source:
        """The authority and system that the events come from."""
        ...

    @property
    def days(self) -> Iterable[DayOfEvents]:
        """The events, day by day in publishing order."""
        ...

    @property
    def total_events(self) -> int:
        """How many events `days` holds."""
        ...

    @property
    def expected_rejections(self) -> int:
        """How many of them ingest must reject."""
        ...


@dataclass(slots=True)
class Demo:
    """One run of the demo on a running stack."""

    stack: Stack
    supervisor: Supervisor
    played: Input
    console: Console

    async def run(self) -> list[str]:
        """Play, wait, show. Returns what is not as expected; nothing when all is."""
        counts = QueueCounts(metrics_url(self.stack.ports.broker))
        try:
            result = await self._play(counts)
            undone = await self._wait_until_done(counts)
            left_over = parked(await counts.read())
        finally:
            await counts.close()
        outcome = await self._outcome()
        alerts = [mail for mail in mails.read_all(self.stack.folder / "mail") if mail.event_received is not None]
        self._show(result, alerts, outcome)
        problems = [*unexpected(self.played, result), *undone]
        problems += [f"{count} messages are parked in {queue}" for queue, count in left_over.items()]
        problems += [] if alerts else ["no alert reached a coach"]
        problems += [] if outcome.units else ["reporting shows no school unit"]
        for problem in problems:
            self.console.print(f"Not as expected: {problem}", style="bold red", markup=False)
        return problems

    async def _play(self, counts: QueueCounts) -> PlayResult:
        total = self.played.total_events
        try:
            with _progress(self.console, total) as advance:
                return await play(
                    self.played.days,
                    total_events=total,
                    ingest_url=self.stack.ports.url(self.stack.ports.service("ingest")),
                    token=self.stack.secrets.publishers[self.played.source.authority],
                    on_progress=advance,
                    drained=Drain(counts, 1.5 * self.stack.counts_seconds).is_done,
                )
        except NotDrained as error:
            left = await counts.read()
            held = ", ".join(f"{name} {count.total}" for name, count in left.items() if count.total)
            logs = self.stack.folder / "log"
            raise NotDrained(f"{error}. Messages by queue: {held or 'none'}. What the services say: {logs}") from error

    async def _wait_until_done(self, counts: QueueCounts) -> list[str]:
        drain = Drain(counts, QUIET_SECONDS)
        deadline = time.monotonic() + DRAIN_SECONDS
        while not await drain.is_done():
            if time.monotonic() > deadline:
                left = pending(await counts.read())
                return [f"{count} messages are still in {queue}" for queue, count in left.items()]
            await asyncio.sleep(_LOOK_SECONDS)
        return []

    async def _outcome(self) -> Outcome:
        if not await signals_computed(self.stack.ports):
            self.console.print("Groups are still being looked at; what is shown of them may not be the last.")
        try:
            return await read_outcome(self.stack.ports, self.stack.secrets)
        except httpx.HTTPError as error:
            self.console.print(f"a service does not answer: {error}", markup=False)
            return Outcome([], [])

    def _show(self, result: PlayResult, alerts: list[mails.Mail], outcome: Outcome) -> None:
        self.console.print(*alerts_shown(alerts), sep="\n")
        self.console.print(units_table(outcome.units))
        self.console.print(worse_groups(outcome.worse))
        self.console.print(figures(result, alerts, self.supervisor.restarts))


def unexpected(played: Input, result: PlayResult) -> list[str]:
    """Where the answers of ingest differ from what the input must lead to."""
    found = []
    if result.sent != played.total_events:
        found.append(f"{result.sent} events were sent, not {played.total_events}")
    if result.rejected != played.expected_rejections:
        found.append(f"{result.rejected} events were rejected, not {played.expected_rejections}")
    if (answered := result.accepted + result.duplicate + result.rejected) != result.sent:
        found.append(f"{answered} events were answered, of {result.sent} sent")
    return found


@contextlib.contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line for each tenth."""
    if not console.is_terminal:
        yield _plain_progress(console)
        return
    columns = [TextColumn("Playing"), BarColumn(), MofNCompleteColumn(), TextColumn("events"), TimeElapsedColumn()]
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("events", total=total)
        yield lambda done, _: progress.update(task, completed=done)


def _plain_progress(console: Console) -> Callable[[int, int], None]:
    said = 0

    def advance(done: int, total: int) -> None:
        nonlocal said
        if (step := _PLAIN_STEPS * done // max(total, 1)) > said:
            said = step
            console.print(f"played {done} of {total} events", highlight=False)

    return advance
