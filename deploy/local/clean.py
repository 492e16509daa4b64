"""Remove what local runs left: `python -m deploy.local.clean`. Needs nothing but Python, so that it works without set-up."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from deploy.local.folder import FolderInUseError, locked

VAR = Path(__file__).parent.parent.parent / "var"


def clean(var: Path) -> list[str]:
    """Remove everything in `var` except runs that are alive; returns what was kept, and why."""
    kept = []
    runs = [lock.parent for pattern in ("*/lock", "tests/*/lock") for lock in var.glob(pattern)]
    for run in runs:
        try:
            with locked(run):
                shutil.rmtree(run)
        except FolderInUseError as error:
            kept.append(f"{run}: {error}")
    if not kept and var.exists():
        shutil.rmtree(var)
    return kept


if __name__ == "__main__":
    if alive := clean(VAR):
        sys.exit("Not removed, end it first:\n" + "\n".join(alive))
