"""`kvar explain` and `kvar rules`: why a score is what it is, and by which numbers an authority's scores are made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
import typer
from rich.console import Console

from services.scoring.explain import explain as explained
from services.scoring.explain_text import as_json, show
from services.scoring.gathered import Versions
from services.scoring.rule_store import RuleStore
from services.scoring.rules import DEFAULT, Rules, RuleVersion, read_rules
from services.scoring.store import ScoringStore
from shared import mongo
from shared.database_clock import DatabaseClock
from shared.errors import Outage, Reject, Stale
from shared.settings import Settings, SettingsError, load_settings

ResultT = TypeVar("ResultT")

rules_app = typer.Typer(
    no_args_is_help=True, help="The numbers that an authority's scores are made by: show, set, history."
)
console = Console(highlight=False, soft_wrap=True)

PSEUDONYM = re.compile(r"^p_[a-z2-7]{26}$")

Authority = Annotated[str, typer.Argument(help="code of the school authority")]
AsJson = Annotated[bool, typer.Option("--json", help="everything, for programs")]


def explain(
    student: Annotated[str, typer.Argument(help="pseudonym of the student, p_…")],
    at: Annotated[
        str | None, typer.Option(help="as known then: a time (RFC 3339) or a day's end; now if left out")
    ] = None,
    is_json: AsJson = False,
) -> None:
    """Explain a student's score: level, reasons, the facts behind them, and how it came about, as known at a time."""
    settings = _settings()
    if not PSEUDONYM.match(student):
        raise _failure(f"{student!r} is no pseudonym: p_ and 26 characters, as pages and alerts show it.")
    moment = _moment(at, settings.zone) if at is not None else None
    asyncio.run(
        _with_database(settings, lambda database: _explain(database, student, moment, settings, is_json=is_json))
    )


async def _explain(
    database: mongo.Database, student: str, at: datetime | None, settings: Settings, *, is_json: bool
) -> None:
    moment = at or await DatabaseClock(database).look()
    store = ScoringStore(database)
    record = (await store.read_students({student: ""}))[student]
    if not record.rev:
        raise _failure(f"Scoring knows no student {student}.")
    announcements = [orjson.loads(body) for body in await store.said(student, moment)]
    versions = await RuleStore(database).versions(record.authority)
    read = Versions()
    await store.read_all_facts(student, read.add)
    unusable = record.state.unusable if at is None else None
    explanation = explained(
        student, moment, read.facts(), versions, announcements, zone=settings.zone, unusable=unusable
    )
    signals = record.noted.signals if at is None else ()
    if is_json:
        console.print_json(orjson.dumps(as_json(explanation, signals)).decode())
        return
    show(explanation, signals, settings.zone, console)
    if record.basis.kept_from > (explanation.assessment.as_of or record.basis.kept_from):
        console.print("Lessons of that time have been deleted since: what was known then can no longer be told.")


@rules_app.command("show")
def show_rules(authority: Authority, is_json: AsJson = False) -> None:
    """Show the rules that hold now, those that differ from the defaults marked with *."""
    settings = _settings()
    versions, unreadable = asyncio.run(
        _with_database(settings, lambda database: RuleStore(database).history(authority))
    )
    rules = versions[-1].rules if versions else DEFAULT
    if is_json:
        console.print_json(data=rules.model_dump(mode="json"))
        return
    since = versions[-1].since if versions else None
    told = f"version {versions[-1].version}, since {since:%Y-%m-%d %H:%M} UTC" if since else "the defaults"
    console.print(f"Rules of {authority}: {told}", markup=False)
    _print_rules(rules)
    _warn_of(unreadable)


def _print_rules(rules: Rules) -> None:
    for part, default in DEFAULT:
        console.print(f"\n[{part}]", markup=False)
        for name, value in getattr(rules, part):
            mark = "" if value == getattr(default, name) else "  *"
            console.print(f"{name} = {_toml(value)}{mark}", markup=False)


def _toml(value: object) -> str:
    return orjson.dumps(value).decode()


@rules_app.command("set")
def set_rules(
    authority: Authority,
    file: Annotated[Path, typer.Argument(help="TOML with what differs from the defaults", exists=True, dir_okay=False)],
    is_trial: Annotated[bool, typer.Option("--check", help="check the file, change nothing")] = False,
) -> None:
    """Make a file's rules those of an authority from now on. All its students are scored anew within minutes."""
    settings = _settings()
    try:
        rules = read_rules(file.read_bytes())
    except Reject as reject:
        faults = [f"  {error.path}: found {error.found}, expected {error.expected}" for error in reject.errors]
        raise _failure("\n".join([f"{file}: {reject.reason}", *faults])) from reject
    if is_trial:
        console.print("These rules can be used:", markup=False)
        _print_rules(rules)
        return
    added = asyncio.run(_with_database(settings, lambda database: _add_rules(database, authority, rules)))
    console.print(f"Version {added.version} holds now; scores made by it say {added.model_version}.", markup=False)


async def _add_rules(database: mongo.Database, authority: str, rules: Rules) -> RuleVersion:
    return await RuleStore(database).add(authority, rules, await DatabaseClock(database).look())


@rules_app.command()
def history(authority: Authority) -> None:
    """List the versions that an authority has had."""
    versions, unreadable = asyncio.run(
        _with_database(_settings(), lambda database: RuleStore(database).history(authority))
    )
    if not versions:
        console.print(f"{authority} has set no rules: the defaults hold.", markup=False)
    for version in versions:
        changed = orjson.dumps(version.rules.model_dump(mode="json", exclude_defaults=True)).decode()
        console.print(f"{version.version}  {version.since:%Y-%m-%d %H:%M:%S} UTC  {changed}", markup=False)
    _warn_of(unreadable)


def _warn_of(unreadable: list[str]) -> None:
    if unreadable:
        console.print(
            f"This Kvar cannot read: {', '.join(unreadable)}. The newest of the others holds here.", markup=False
        )


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        raise _failure(f"Wrong settings: {error}", status=2) from error


async def _with_database(settings: Settings, work: Callable[[mongo.Database], Awaitable[ResultT]]) -> ResultT:
    database = mongo.connect(settings.mongo_url, settings.mongo_database, service="cli")
    try:
        return await work(database)
    except Outage as outage:
        raise _failure(f"The database does not answer ({outage}). KVAR_MONGO_URL says where.") from outage
    except Stale as stale:
        raise _failure(str(stale)) from stale
    finally:
        database.client.close()


def _moment(text: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _failure(
            f"{text!r} is no time: 2026-10-01T12:00+02:00, or 2026-10-01 for the end of that day."
        ) from error
    if len(text) == len("2026-10-01"):
        moment = datetime.combine(moment.date() + timedelta(days=1), time(), zone) - timedelta(microseconds=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _failure(message: str, *, status: int = 1) -> typer.Exit:
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False)
    return typer.Exit(status)
