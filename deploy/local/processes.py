"""Programs that run beside each other on one machine: started, waited for, and ended without touching anything else.

Every program is started in a session of its own and bears a random *mark* in its environment. The mark is written to a
record before the program starts, so that after a crash of ours the next run finds what was left behind and ends exactly
that: a process without the mark is never signalled, whatever its number or name is.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MARK = "LOCAL_STACK_MARK"
"""Name of the environment variable that says which run a process belongs to."""

_POLL_SECONDS = 0.1
_TAIL_LINES = 25


class StartError(Exception):
    """A program did not become ready; the message says what was waited for and shows the end of its log."""


def always_ready() -> str | None:
    """Readiness of a program that needs no waiting."""
    return None


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to know that it works.

    Attributes:
        name: Short name; also the name of its log file.
        command: Program and arguments.
        environment: The whole environment it gets (the mark is added).
        missing: Returns what is still missing, or None as soon as it is ready. May block for a second, must not raise.
        ready_seconds: How long it may take to become ready.
        stop_seconds: How long it may take to end by itself after SIGTERM.
        folder: Working directory; the caller's when None.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    missing: Callable[[], str | None] = always_ready
    ready_seconds: float = 60.0
    stop_seconds: float = 20.0
    folder: Path | None = None


@dataclass(slots=True)
class Child:
    """A started program."""

    program: Program
    mark: str
    log: Path
    record: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def is_running(self) -> bool:
        """Whether its first process still runs."""
        return self.process.poll() is None

    def wait_ready(self) -> None:
        """Block until the program is ready.

        Raises:
            StartError: It ended, or the deadline passed.
        """
        deadline = time.monotonic() + self.program.ready_seconds
        while (missing := self.program.missing()) is not None:
            if not self.is_running():
                raise StartError(
                    self._complaint(f"ended before it was ready, with exit status {self.process.returncode}")
                )
            if time.monotonic() > deadline:
                raise StartError(self._complaint(f"is not ready after {self.program.ready_seconds:.0f} s: {missing}"))
            time.sleep(_POLL_SECONDS)

    def stop(self, *, at_once: bool = False) -> None:
        """End the program and everything it started; returns when no process of it is left.

        Args:
            at_once: Do not ask first (SIGTERM and some patience) but kill.
        """
        if not at_once and self.is_running():
            signal_marked(self.mark, signal.SIGTERM, only=self.process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.program.stop_seconds)
        if self.is_running():
            self.process.kill()
        self.process.wait()
        kill_marked(self.mark)
        self.record.unlink(missing_ok=True)

    def _complaint(self, what: str) -> str:
        return f"{self.program.name} {what}.\nThe end of its log ({self.log}):\n{tail(self.log)}"


def start(program: Program, folder: Path) -> Child:
    """Start a program; its log goes to `folder`/log, its record to `folder`/records.

    Raises:
        StartError: There is no such program.
    """
    mark = f"{program.name}-{secrets.token_hex(16)}"
    log = _made(folder / "log") / f"{program.name}.log"
    record = _made(folder / "records") / f"{program.name}.json"
    record.write_text(json.dumps({"name": program.name, "mark": mark}))
    try:
        with log.open("ab") as out:
            process = subprocess.Popen(
                list(program.command),
                env={**program.environment, MARK: mark},
                cwd=program.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        record.unlink()
        raise StartError(f"{program.name} cannot be started: {error}") from error
    return Child(program, mark, log, record, process)


def end_leftovers(folder: Path) -> list[str]:
    """End what an earlier run in `folder` left behind when it was killed; returns the names of what was still running.

    Call it only while holding the folder's lock (`deploy.local.folder`), else it would end a run that is alive.
    """
    ended = []
    for record in sorted((folder / "records").glob("*.json")):
        with contextlib.suppress(ValueError, KeyError):  # cut short by the crash: its program was never started
            leftover = json.loads(record.read_text())
            if kill_marked(leftover["mark"]):
                ended.append(leftover["name"])
        record.unlink()
    return ended


def kill_marked(mark: str) -> int:
    """Kill every process with this mark and wait until none is left; returns how many there were."""
    seen: set[int] = set()
    while found := signal_marked(mark, signal.SIGKILL):
        seen.update(found)
        time.sleep(0.01)
    return len(seen)


def signal_marked(mark: str, signal_number: signal.Signals, *, only: int | None = None) -> list[int]:
    """Signal the processes that bear the mark (of these only one, if given); returns their process ids."""
    found = [pid for pid in marked(mark) if only in {None, pid}]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
    return found


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, indented for showing under a message."""
    text = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
    return "\n".join(f"  | {line}" for line in text) or "  | (empty)"


def marked(mark: str) -> Iterator[int]:
    """Process ids of those that bear the mark."""
    wanted = f"{MARK}={mark}"
    if Path("/proc/self/environ").exists():  # Linux; elsewhere `ps` shows the environment
        for folder in Path("/proc").glob("[0-9]*"):
            # The process may end while we look, or belong to somebody else: then it is not ours.
            with contextlib.suppress(OSError):
                if wanted.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
        return
    listing = subprocess.run(["ps", "-Eww", "-axo", "pid=,command="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if wanted in command.split():
            yield int(pid)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
