"""`python -m tests.chaos`: kills, pauses, cuts and restarts everything while events flow, then proves that nothing was lost or
counted twice. Exit status 0 when all is as an independent computation says, else 1.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from deploy.local.processes import StartError
from deploy.local.signals import stop_like_ctrl_c
from tests.chaos.faults import Fault
from tests.chaos.publishing import GaveUpError
from tests.chaos.run import Options, Progress, Result, run
from tests.chaos.verdict import ALERT_WITHDRAWN, LEVEL_CHANGED, repeats
from tests.chaos.world import database_kind

FEWEST_FAULTS = 100
FAULTS_A_MINUTE = 35
WIDTH_OF_FILES = 120
SHOWN = 30


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="how long events are published and faults happen")] = 5.0,
    seed: Annotated[int, typer.Option(help="draws events, faults and replicas")] = 1,
    replicas: Annotated[
        int | None, typer.Option(min=2, max=4, help="of scoring; drawn by the seed if not given")
    ] = None,
    students: Annotated[int | None, typer.Option(min=4, help="how many; by default about 60 events a second")] = None,
    faults: Annotated[int | None, typer.Option(min=0, help="how many; by default 35 a minute, 100 at least")] = None,
) -> None:
    """Breaks things for some minutes."""
    stop_like_ctrl_c()
    for name in ("aio_pika", "aiormq"):  # the broker is killed all the time, and they say so at length
        logging.getLogger(name).setLevel(logging.CRITICAL)
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH_OF_FILES)
    options = Options(
        seed,
        minutes,
        max(FEWEST_FAULTS, round(FAULTS_A_MINUTE * minutes)) if faults is None else faults,
        replicas,
        students,
    )
    repeat = f"python -m tests.chaos --minutes {minutes:g} --seed {seed}"
    console.print(f"Chaos with seed {seed}: {options.faults} faults in {minutes:g} min", style="bold")
    try:
        result = _run(console, options)
    except (StartError, GaveUpError) as error:
        console.print(f"{error}\nAgain: {repeat}", style="bold red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("Ended. Everything that was started here is gone.")
        raise typer.Exit(130) from None
    console.print(_faults(result), _figures(result))
    for difference in result.differences[:SHOWN]:
        console.print(str(difference), style="red", markup=False, highlight=False)
    if result.differences:
        console.print(
            f"{len(result.differences)} differences. Logs and findings: {result.kept}. Again: {repeat}",
            style="bold red",
        )
        raise typer.Exit(1)
    console.print(f"All as an independent computation says. Again: {repeat}", style="bold green")


def _run(console: Console, options: Options) -> Result:
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Published", total=None)
        progress = Progress(
            lambda what: bar.console.print(what, markup=False, highlight=False),
            lambda sent, total: bar.update(task, completed=sent, total=total),
            lambda left: bar.update(task, description=f"Waiting for {left}" if left else "Quiet"),
        )
        return asyncio.run(run(options, progress))


def _faults(result: Result) -> Table:
    table = Table("fault", "of", "times", title=f"What was done ({sum(result.faults.values())} faults)")
    for (fault, target), times in sorted(
        result.faults.items(), key=lambda item: (list(Fault).index(item[0][0]), item[0][1])
    ):
        table.add_row(fault, target, str(times))
    return table


def _figures(result: Result) -> Table:
    told = Counter(one.key for one in result.evidence.told)
    mailed = Counter(one.alert for one in result.evidence.mailed)
    answers, counted = result.publishing.answers, result.counted
    rows = {
        "duration": f"{result.seconds:.0f} s",
        "database": database_kind(),
        "replicas": ", ".join(f"{n} {name}" for name, n in result.options.replicas_by_service.items()),
        "events published": f"{result.publishing.sent} ({len(result.traffic.good)} different, "
        f"{len(result.traffic.bad_ids)} bad)",
        "answers of ingest": f"{answers.accepted} accepted, {answers.duplicate} known already, {answers.rejected} refused, "
        f"{answers.unanswered} over AMQP",
        "attempts without an answer, repeated": str(result.publishing.attempts_failed),
        "facts kept": str(len(result.evidence.facts)),
        "redeliveries by the broker (at least)": f"{counted.get('rabbitmq_global_messages_redelivered_total', 0):.0f}",
        "writes redone after a conflict (at least)": f"{counted.get('kvar_conflicts_total', 0):.0f}",
        "waits for broker or database (at least)": f"{counted.get('kvar_outages_total', 0):.0f}",
        "messages on the retry ladder (at least)": f"{counted.get('kvar_retried_total', 0):.0f}",
        "messages about levels": f"{told[LEVEL_CHANGED]} changes, {told[ALERT_WITHDRAWN]} withdrawals; "
        f"{repeats(result.evidence.told)} of them repeated",
        "alerts": str(len(result.evidence.alerts)),
        "mails": f"{mailed.total()}, {mailed.total() - len(mailed)} of them repeated",
        "parked": f"{len(result.evidence.parked)} ({len(result.traffic.poison)} poison)",
        "differences": str(len(result.differences)),
    }
    table = Table("figure", "", title="What came out")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


if __name__ == "__main__":
    typer.run(main)
