"""The folder of one run: its lock, its logs, its data; and what an earlier run left there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.local.processes import end_leftovers


class FolderInUseError(Exception):
    """Another run holds the folder and is alive."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[list[str]]:
    """Hold a run's folder; yields the names of programs of an earlier, killed run that had to be ended.

    The lock is the kernel's own (flock), so it cannot outlive its holder: there are no stale lock files.

    Raises:
        FolderInUseError: Somebody alive holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise FolderInUseError(f"process {lock.read().strip() or 'unknown'}") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield end_leftovers(folder)


def sweep(parent: Path) -> None:
    """Remove every folder in `parent` whose run is over, and end what it left running."""
    for folder in parent.glob("*/"):
        with contextlib.suppress(FolderInUseError), locked(folder):
            shutil.rmtree(folder)
