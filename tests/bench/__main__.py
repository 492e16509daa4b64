"""`python -m tests.bench`: how fast scoring is, each row beside baselines measured in the same run.

Broker, database and the scoring service are real and private to the run; each row has its own virtual host and database.
A number alone says more about the machine than about us: compare the ratios.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.signals import stop_like_ctrl_c
from tests.bench.figures import Figure, as_json, as_table, machine
from tests.bench.rows import DEFAULT, Kind, Plan, Run
from tests.bench.stage import servers

_PLAN = Plan()
app = typer.Typer(add_completion=False)


@app.command()
def main(
    *,
    rows: Annotated[list[Kind] | None, typer.Option("--row", help="what to measure; all but memory by default")] = None,
    with_memory: Annotated[bool, typer.Option("--memory", help="memory, too: a long row")] = False,
    total: Annotated[
        int, typer.Option("--events", help="events a throughput row; naive takes a quarter")
    ] = _PLAN.total,
    students: Annotated[int, typer.Option(help="students of throughput and latency")] = _PLAN.students,
    replicas: Annotated[list[int] | None, typer.Option(help="numbers of scoring replicas to measure")] = None,
    seconds: Annotated[float, typer.Option(help="length of the latency rows")] = _PLAN.latency_seconds,
    rate: Annotated[
        float | None, typer.Option(help="events/s of the latency rows; half of scoring's own if unset")
    ] = None,
    passing: Annotated[int, typer.Option(help="students of the memory row")] = _PLAN.passing_students,
    minutes: Annotated[float, typer.Option(help="longest time for the memory row")] = _PLAN.memory_minutes,
    output: Annotated[Path | None, typer.Option("--json", help="also write the figures here")] = None,
) -> None:
    """Measure, with progress bars, and print the table."""
    stop_like_ctrl_c()
    plan = Plan(
        total=total,
        students=students,
        replicas=tuple(replicas or _PLAN.replicas),
        latency_seconds=seconds,
        rate=rate,
        passing_students=passing,
        memory_minutes=minutes,
    )
    kinds = [*(rows or DEFAULT), *([Kind.MEMORY] if with_memory else [])]
    console, where, figures = Console(), machine(), list[Figure]()
    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with servers() as running, Progress(*columns, console=console) as bar:
        run = Run(plan, running, bar)
        for kind in dict.fromkeys(kinds):
            figures += run.measure(kind)
    console.print(as_table(where, figures))
    if output is not None:
        output.write_text(json.dumps(as_json(where, asdict(plan), figures), indent=2) + "\n")


if __name__ == "__main__":
    app()
