"""`python -m tests.attacks [NAME…]`: makes the attacks, each on a fresh stack, and tells as a table what the others felt of them.

Exit status 0 when every aim was held, else 1. Logs of an attack that was not held are kept.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.folder import locked, sweep
from deploy.local.layout import load_or_make_secrets
from deploy.local.processes import StartError
from deploy.local.signals import stop_like_ctrl_c
from tests.attacks import (
    bad_messages,
    dear_texts,
    hostile_addresses,
    hostile_labels,
    junk_lines,
    large_messages,
    mail_refuses,
    many_connections,
    many_requests,
    one_student,
    queued_flood,
    refused_items,
    schema_fuzz,
    sick_database,
    slow_mail,
    slow_uploads,
)
from tests.attacks.attack import HOSTILE, OTHER, Attack, stage
from tests.attacks.finding import Finding
from tests.chaos.world import forget_data

ATTACKS: tuple[Attack, ...] = (
    queued_flood.ATTACK,
    bad_messages.ATTACK,
    schema_fuzz.ATTACK,
    one_student.ATTACK,
    one_student.FULL,
    hostile_labels.ATTACK,
    sick_database.ATTACK,
    slow_uploads.ATTACK,
    junk_lines.ATTACK,
    dear_texts.ATTACK,
    refused_items.ATTACK,
    many_connections.ATTACK,
    many_requests.ATTACK,
    large_messages.ATTACK,
    slow_mail.ATTACK,
    mail_refuses.ATTACK,
    hostile_addresses.ATTACK,
)
BY_NAME = {attack.name: attack for attack in ATTACKS}
RUNS = Path(__file__).parents[2] / "var" / "attacks" / "running"
KEPT = RUNS.parent
WIDTH_OF_FILES = 160


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"which: {', '.join(BY_NAME)}; all when none is named")
    ] = None,
) -> None:
    """Attacks a stack of its own, on this machine alone."""
    stop_like_ctrl_c()
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH_OF_FILES)
    if unknown := set(names or ()) - BY_NAME.keys():
        raise typer.BadParameter(f"no such attack: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    is_held = True
    for attack in [BY_NAME[name] for name in names] if names else ATTACKS:
        began = time.monotonic()
        findings = _make(attack)
        is_held = is_held and all(finding.is_held for finding in findings)
        console.print(_table(attack, findings, time.monotonic() - began))
    raise typer.Exit(0 if is_held else 1)


def _make(attack: Attack) -> list[Finding]:
    sweep(RUNS)
    folder = RUNS / f"{os.getpid()}"
    with locked(folder):
        findings = asyncio.run(_findings(attack, folder))
        if not all(finding.is_held for finding in findings):
            kept = KEPT / f"{attack.name}-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 - for people here
            forget_data(folder)
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("secrets.json", "lock", "records"))
            findings.append(Finding("logs", f"kept in {kept}", "", is_held=True))
        shutil.rmtree(folder, ignore_errors=True)
    return findings


async def _findings(attack: Attack, folder: Path) -> list[Finding]:
    secrets = load_or_make_secrets(folder / "secrets.json", [HOSTILE, OTHER])
    try:
        async with stage(attack, folder, secrets) as ready, asyncio.timeout(attack.seconds):
            return await attack.run(ready)
    except (TimeoutError, StartError) as error:
        failed = f"{type(error).__name__} {error}".strip()
        return [Finding("the attack", failed, f"done in {attack.seconds:.0f} s", is_held=False)]


def _table(attack: Attack, findings: list[Finding], seconds: float) -> Table:
    table = Table("looked at", "measured", "aim", "", title=f"{attack.name}: {attack.about} ({seconds:.0f} s)")
    for finding in findings:
        table.add_row(
            finding.what, finding.measured, finding.aim, "held" if finding.is_held else "[bold red]not held[/bold red]"
        )
    return table


if __name__ == "__main__":
    typer.run(main)
