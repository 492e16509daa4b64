"""Keeps programs running: one that ends by itself, or is killed, is started again, with growing pauses."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from deploy.local import processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from deploy.local.processes import Child

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STABLE_SECONDS = 60.0
"""After running for so long a program counts as sound, and its next restart is quick again."""

_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class _Watched:
    index: int
    pause_seconds: float = FIRST_PAUSE_SECONDS
    ready_since: float | None = 0.0
    restart_at: float | None = None
    restarts: int = field(default=0)


class Supervisor:
    """Watches children from a thread of its own while the `with` block runs.

    The list of children is changed in place, so that whoever ends them at last ends those that run then.
    """

    def __init__(self, children: list[Child], folder: Path, report: Callable[[str], None]) -> None:
        self._children = children
        self._folder = folder
        self._report = report
        self._watched = [_Watched(index) for index in range(len(children))]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop watching; the children go on."""
        self._over.set()
        self._thread.join()

    @property
    def restarts(self) -> dict[str, int]:
        """How often each program was restarted, without those that never were."""
        return {self._children[one.index].program.name: one.restarts for one in self._watched if one.restarts}

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for watched in self._watched:
                if self._over.is_set():
                    return
                self._look_at(watched, time.monotonic())

    def _look_at(self, watched: _Watched, now: float) -> None:
        child = self._children[watched.index]
        if watched.restart_at is not None:
            if now >= watched.restart_at:
                self._restart(watched)
        elif not child.is_running():
            self._plan_restart(watched, child, now)
        elif watched.ready_since is None and child.program.missing() is None:
            watched.ready_since = now
            self._report(f"{child.program.name} is ready again")

    def _plan_restart(self, watched: _Watched, child: Child, now: float) -> None:
        if watched.ready_since is not None and now - watched.ready_since > STABLE_SECONDS:
            watched.pause_seconds = FIRST_PAUSE_SECONDS
        status = child.process.returncode
        how = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
        self._report(f"{child.program.name} {how}; starting it again in {watched.pause_seconds:g} s (log: {child.log})")
        child.stop(at_once=True)
        watched.restart_at = now + watched.pause_seconds
        watched.pause_seconds = min(2 * watched.pause_seconds, LONGEST_PAUSE_SECONDS)

    def _restart(self, watched: _Watched) -> None:
        program = self._children[watched.index].program
        watched.restart_at = watched.ready_since = None
        watched.restarts += 1
        try:
            self._children[watched.index] = processes.start(program, self._folder)
        except processes.StartError as error:
            self._report(str(error))
            watched.restart_at = time.monotonic() + LONGEST_PAUSE_SECONDS
