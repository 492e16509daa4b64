"""`kvar simulate` and `kvar import oulad`: events to a file, to the standard output, or published to ingest."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo import oulad as oulad_data
from deploy.demo import simulator
from deploy.demo.doors import DoorError
from deploy.demo.oulad_tables import NotOulad
from deploy.demo.player import PlayResult, play
from deploy.demo.school_calendar import latest_whole_term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.demo.events import DayOfEvents

DAY_FORMAT = ["%Y-%m-%d"]
SHOWN_REJECTIONS = 10
console = Console(stderr=True)

import_app = typer.Typer(help="Turn data of other systems into events.", no_args_is_help=True)

OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write one event a line to this file; default: standard output.")
]
PublishOption = Annotated[
    str | None, typer.Option("--publish", help="Publish to ingest at this address: http://… or amqp://…", metavar="URL")
]
TokenOption = Annotated[
    str, typer.Option("--token", envvar="PUBLISHER_TOKEN", help="The publisher's token, for http://…")
]
TruthOption = Annotated[
    Path | None,
    typer.Option("--truth", help="Write what really happened to this file: for evaluation, never for input."),
]


class Input(Protocol):
    """What both commands produce."""

    @property
    def days(self) -> Iterable[DayOfEvents]:
        """In publishing order."""

    @property
    def total_events(self) -> int:
        """In all days."""

    @property
    def expected_rejections(self) -> int:
        """How many of them are bad on purpose."""


@import_app.callback()
def _imports() -> None:
    """Turn data of other systems into events."""


@import_app.command("oulad")
def import_oulad(
    folder: Annotated[Path, typer.Argument(help="Holds the CSV files of OULAD's module AAA.", metavar="DIR")],
    *,
    out: OutOption = None,
    publish: PublishOption = None,
    token: TokenOption = "",
    until: Annotated[
        datetime | None,
        typer.Option(formats=DAY_FORMAT, help="The newest day of the shifted calendar; default: yesterday."),
    ] = None,
    students: Annotated[int | None, typer.Option(min=1, help="Take so many enrolments only; default: all.")] = None,
    truth: TruthOption = None,
) -> None:
    """Turn the Open University's learning analytics data (OULAD, module AAA) into events."""
    last = until.date() if until else _today() - timedelta(days=1)
    try:
        data = oulad_data.read_oulad(folder, until=last, limit=students)
    except NotOulad as error:
        raise typer.BadParameter(str(error)) from error
    console.print("OULAD module AAA (CC BY 4.0) on a shifted calendar; coaches are synthetic.")
    _write_truth(truth, list(data.truth))
    _deliver(data, out, publish, token)


def simulate(
    *,
    out: OutOption = None,
    publish: PublishOption = None,
    token: TokenOption = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = simulator.DEFAULT_SEED,
    students: Annotated[int, typer.Option(min=1)] = simulator.DEFAULT_STUDENTS,
    units: Annotated[int, typer.Option(min=1, help="School units.")] = simulator.DEFAULT_UNITS,
    first_day: Annotated[
        datetime | None, typer.Option(formats=DAY_FORMAT, help="Default: of the latest whole term.")
    ] = None,
    last_day: Annotated[
        datetime | None, typer.Option(formats=DAY_FORMAT, help="Default: of the latest whole term.")
    ] = None,
    bad: Annotated[int, typer.Option(min=0, help="So many deliberately bad events.")] = 0,
    truth: TruthOption = None,
) -> None:
    """Simulate a term of a school authority. Everything and everybody in it is invented."""
    term = latest_whole_term(_today())
    try:
        term_events = simulator.simulate(
            seed,
            students,
            min(units, students),
            first_day.date() if first_day else term.first_day,
            last_day.date() if last_day else term.last_day,
            bad=bad,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(
        f"Synthetic: {students} invented students in {len(term_events.authority.units)} invented school units."
    )
    _write_truth(truth, [one.as_json() for one in term_events.truth])
    _deliver(term_events, out, publish, token)


def _today() -> date:
    return datetime.now(UTC).date()


def _write_truth(file: Path | None, truth: list[dict[str, Any]]) -> None:
    if file is not None:
        file.write_bytes(orjson.dumps(truth, option=orjson.OPT_INDENT_2) + b"\n")


def _deliver(data: Input, out: Path | None, publish: str | None, token: str) -> None:
    if publish is not None:
        if out is not None:
            raise typer.BadParameter("either --out or --publish, not both")
        _publish(data, publish, token)
    elif out is not None:
        with out.open("wb") as file:
            count = _write(data.days, file.write)
        console.print(f"{count} events written to {out}")
    else:
        _write(data.days, sys.stdout.buffer.write)


def _write(days: Iterable[DayOfEvents], write: Callable[[bytes], object]) -> int:
    count = 0
    for day in days:
        write(b"".join(orjson.dumps(event) + b"\n" for event in day.events))
        count += len(day.events)
    return count


def _publish(data: Input, url: str, token: str) -> None:
    columns = (TextColumn("Publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("events", total=data.total_events)
        try:
            result = asyncio.run(
                play(
                    data.days,
                    total_events=data.total_events,
                    ingest_url=url,
                    token=token,
                    on_progress=lambda sent, total: progress.update(bar, completed=sent, total=total),
                    drained=_at_once,
                )
            )
        except DoorError as error:
            console.print(f"[red]{error}[/red]")
            raise typer.Exit(1) from error
    _report(result, data.expected_rejections)


async def _at_once() -> bool:
    """A publisher in real life does not wait for its readers."""
    return True


def _report(result: PlayResult, expected_rejections: int) -> None:
    console.print(
        f"{result.sent} sent in {result.seconds:.1f} s: {result.accepted} accepted, {result.duplicate} duplicate, "
        f"{result.rejected} rejected ({expected_rejections} expected), {result.unanswered} confirmed by the broker"
    )
    for item in result.rejections[:SHOWN_REJECTIONS]:
        console.print(f"rejected: {item}", markup=False)
    if not result.unanswered and result.rejected != expected_rejections:
        raise typer.Exit(1)
