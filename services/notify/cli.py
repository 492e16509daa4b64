"""`kvar alerts`: alerts that somebody may not have been told of, listed and tried again by an operator."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, tzinfo
from typing import Annotated, TypeVar

import typer

from services.notify.alert_store import Alerts, Filter
from services.notify.alerts import UNTOLD, Alert, AlertState
from services.notify.api import shown
from services.notify.lines import one_line
from shared import mongo
from shared.database_clock import DatabaseClock
from shared.errors import Outage
from shared.settings import Settings, SettingsError, load_settings

ResultT = TypeVar("ResultT")

WIDTH = 80
INDENT = "    "

app = typer.Typer(
    no_args_is_help=True, help="Alerts that somebody may not have been told of: list, retry. They bear pseudonyms only."
)

OfAuthority = Annotated[str | None, typer.Option("--authority", help="only of this authority")]
State = Annotated[AlertState | None, typer.Option("--state", help="only in this state")]


@app.command("list")
def list_alerts(
    authority: OfAuthority = None,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="alerts at most")] = 50,
    after: Annotated[str | None, typer.Option(help="continue behind this id")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="one JSON object an alert")] = False,
) -> None:
    """List alerts in the order of their ids: all that nobody, or perhaps nobody, has been told of, unless a state is named."""
    settings = _settings()
    which = Filter((state,) if state is not None else UNTOLD, authority=authority)
    found = _with_alerts(settings, lambda alerts, _: alerts.page(which, after, limit))
    for alert in found:
        typer.echo(shown(alert).model_dump_json() if is_json else "\n".join(_lines(alert, settings.zone)))
    if len(found) == limit:
        typer.echo(f"More: --after {found[-1].id}", err=is_json)
    elif not found and not is_json:
        typer.echo("There are none.")


@app.command()
def retry(
    ids: Annotated[list[str] | None, typer.Argument(help="ids as `kvar alerts list` shows them", metavar="ID…")] = None,
    authority: OfAuthority = None,
    state: State = None,
    are_all: Annotated[bool, typer.Option("--all", help="whatever they wait for, the uncertain ones too")] = False,
) -> None:
    """Make alerts due at once, and have every address asked for again. What certainly was mailed is not mailed again.

    An uncertain one may have arrived: whoever got it then gets it again, three times more at most.
    """
    if (bool(ids), state is not None, are_all).count(True) != 1:
        raise _failure("Name ids, or --state, or --all.", status=2)
    if state is not None and state not in UNTOLD:
        raise _failure(f"{state} is final. These are tried again: {', '.join(UNTOLD)}.", status=2)
    which = Filter((state,) if state is not None else UNTOLD, authority=authority, ids=ids or ())
    left, count = _with_alerts(_settings(), lambda alerts, now: _retry(alerts, which, now))
    typer.echo(f"Due again: {count}")
    for alert_id in left:
        typer.echo(f"Not tried again, for nobody waits for it or it is being mailed: {one_line(alert_id)}", err=True)
    if left:
        raise typer.Exit(1)


async def _retry(alerts: Alerts, which: Filter, now: datetime) -> tuple[list[str], int]:
    """Ids that were named and cannot be tried again, and how many are."""
    named = await alerts.page(which, None, len(which.ids)) if which.ids else []
    there = {alert.id for alert in named if alert.state is not AlertState.SENDING}
    return [alert_id for alert_id in which.ids if alert_id not in there], await alerts.retry(which, now)


def _lines(alert: Alert, zone: tzinfo) -> Iterator[str]:
    out = shown(alert)
    yield f"{alert.id}  {alert.state}  {one_line(alert.authority)}  {_time(alert.created_at, zone)}"
    facts = [
        f"{out.school_unit or 'unit unknown'}, {out.from_level} → {out.to_level}",
        f"handed over {out.handed_over} times without an answer" if out.begun else "",
        f"{out.failures} attempts in vain" if out.failures else "",
        f"next at {_time(out.due_at, zone)}" if out.due_at is not None else "",
        f"told {out.told}" if out.told is not None else "",
    ]
    yield _indented("; ".join(filter(None, facts)))
    if out.problem is not None:
        yield _indented(out.problem)
    for refusal in out.refusals:
        yield _indented(f"{refusal.staff} ({_time(refusal.at, zone)}): {refusal.answer}")


def _time(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _indented(text: str) -> str:
    return textwrap.fill(one_line(text), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        raise _failure(f"Wrong settings: {error}", status=2) from error


def _with_alerts(settings: Settings, work: Callable[[Alerts, datetime], Awaitable[ResultT]]) -> ResultT:
    """Does it with the alerts and the database's time."""

    async def run() -> ResultT:
        database = mongo.connect(settings.mongo_url, settings.mongo_database, service="cli")
        try:
            return await work(Alerts(database), await DatabaseClock(database).look())
        except Outage as outage:
            raise _failure(f"The database does not answer ({outage}). KVAR_MONGO_URL says where.") from outage
        finally:
            database.client.close()

    return asyncio.run(run())


def _failure(message: str, *, status: int = 1) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(status)
