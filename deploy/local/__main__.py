"""Kvar on this machine: `python -m deploy.local demo` or `up`, usually through make."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.demo.doors import DoorError
from deploy.demo.oulad import AUTHORITY as OULAD_AUTHORITY
from deploy.demo.oulad import read_oulad
from deploy.demo.oulad_tables import NotOulad
from deploy.demo.player import NotDrained
from deploy.demo.school_calendar import TIME_ZONE, latest_whole_term
from deploy.demo.simulator import AUTHORITY, DEFAULT_SEED, DEFAULT_STUDENTS, DEFAULT_UNITS, simulate
from deploy.local.broker import FAST_COUNTS_SECONDS
from deploy.local.demo import Demo
from deploy.local.folder import FolderInUseError, locked
from deploy.local.layout import DEFAULT_BASE_PORT, Ports, Secrets, load_or_make_secrets
from deploy.local.ports import PortInUseError
from deploy.local.processes import StartError
from deploy.local.report import addresses
from deploy.local.signals import stop_like_ctrl_c
from deploy.local.stack import CHECKOUT, Stack, not_proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deploy.local.demo import Input

VAR = CHECKOUT / "var"
RUNS = ("demo", "up")
WIDTH_OF_FILES = 120
BAD_EVENTS = 3
"""The demo sends some events that ingest has to reject, to show that it does."""

cli = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
Port = Annotated[int, typer.Option("--port", min=1024, max=65_500, help="the ports used are the twelve after this one")]


@cli.command()
def demo(
    port: Port = DEFAULT_BASE_PORT,
    data: Annotated[Path | None, typer.Option(help="play the OULAD data in this folder, not the simulator")] = None,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="end when played; exit status 0 only if all is as expected")
    ] = False,
    seed: Annotated[int, typer.Option(help="of the simulator")] = DEFAULT_SEED,
    students: Annotated[int, typer.Option(min=1, help="of the simulator")] = DEFAULT_STUDENTS,
) -> None:
    """Play a term through everything, with a fresh data folder, and show what comes out."""
    console = _console()
    with _plain_errors(console), _run_folder("demo", console) as folder:
        played = _input(data, seed, students)
        _empty(folder)
        secrets = load_or_make_secrets(folder / "secrets.json", [played.source.authority])
        stack = Stack(
            folder, Ports(port), secrets, _reporter(console), throw_away=True, counts_seconds=FAST_COUNTS_SECONDS
        )
        with stack.running() as supervisor:
            problems = asyncio.run(Demo(stack, supervisor, played, console).run())
            if not once:
                _show_addresses(console, stack.ports, secrets, folder)
                _wait_for_ctrl_c(console)
    if once and problems:
        raise typer.Exit(1)


@cli.command()
def up(port: Port = DEFAULT_BASE_PORT) -> None:
    """Start everything with the data of the last time, and keep it running."""
    console = _console()
    with _plain_errors(console), _run_folder("up", console) as folder:
        shutil.rmtree(folder / "log", ignore_errors=True)
        secrets = load_or_make_secrets(folder / "secrets.json", sorted({AUTHORITY, OULAD_AUTHORITY}))
        with Stack(folder, Ports(port), secrets, _reporter(console)).running():
            _show_addresses(console, Ports(port), secrets, folder)
            console.print(f"Publishers' tokens and all secrets of this run: {_short(folder)}/secrets.json")
            _wait_for_ctrl_c(console)


def _console() -> Console:
    """As wide as the terminal; wide enough for the tables where the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_FILES)


def _input(data: Path | None, seed: int, students: int) -> Input:
    today = datetime.now(TIME_ZONE).date()
    if data is not None:
        return read_oulad(data, until=today - timedelta(days=1))
    term = latest_whole_term(today)
    return simulate(seed, students, min(DEFAULT_UNITS, students), term.first_day, term.last_day, bad=BAD_EVENTS)


@contextlib.contextmanager
def _plain_errors(console: Console) -> Iterator[None]:
    """What the reader can do something about is said in plain words, with exit status 1."""
    stop_like_ctrl_c()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = not_proxied(os.environ)
    try:
        yield
    except (PortInUseError, StartError, FolderInUseError, NotOulad, DoorError, NotDrained) as error:
        console.print(str(error), style="bold", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("Everything that was started here is ended.")
        raise typer.Exit(130) from None


@contextlib.contextmanager
def _run_folder(name: str, console: Console) -> Iterator[Path]:
    """The folder of this run, locked; what killed runs left behind is ended first, also those of the other command."""
    for other in RUNS:
        if other != name:
            with contextlib.suppress(FolderInUseError), locked(VAR / other) as ended:
                _say_ended(console, ended)
    with contextlib.ExitStack() as stack:
        try:
            ended = stack.enter_context(locked(VAR / name))
        except FolderInUseError as error:
            raise FolderInUseError(f"`make {name}` runs already ({error}). End that first, with Ctrl-C.") from error
        _say_ended(console, ended)
        yield VAR / name


def _say_ended(console: Console, ended: Sequence[str]) -> None:
    if ended:
        console.print(f"Ended what a killed run had left behind: {', '.join(ended)}")


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)


def _reporter(console: Console) -> Callable[[str], None]:
    return lambda sentence: console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _show_addresses(console: Console, ports: Ports, secrets: Secrets, folder: Path) -> None:
    console.print(addresses(ports, secrets, _short(folder), is_kept=not console.is_terminal))


def _short(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _wait_for_ctrl_c(console: Console) -> None:
    """The regular end: what follows is ended in order, and the exit status is 0."""
    console.print("Running until Ctrl-C.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            signal.pause()
    console.print("Ending what was started here ...")


if __name__ == "__main__":
    cli()
