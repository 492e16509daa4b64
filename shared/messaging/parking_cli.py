"""`kvar parking`: messages that no service could work on, or that are held, read, sent again or dropped by an operator."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.errors import Outage
from shared.messaging import topology
from shared.messaging.forwarding import authority_of
from shared.messaging.parked import Parked
from shared.messaging.parking import ParkingError, Round, operating
from shared.messaging.parking_text import as_json, as_ndjson, as_table, as_text
from shared.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage

    from shared.messaging.parking import Desk

app = typer.Typer(
    no_args_is_help=True,
    help="Parked messages: list, show, replay, drop; with --held those put aside after too many of their authority were parked. "
    "Behind the door they bear pseudonyms only; those of ingest may be as their publisher sent them, with names and national "
    "ids, so their content and error are shown with --body only.",
)

Service = StrEnum("Service", {name: name for name in topology.SERVICES})  # type: ignore[misc]

OfService = Annotated[Service | None, typer.Option("--service", help="only this service's messages")]
OfAuthority = Annotated[str | None, typer.Option("--authority", help="of all, only those of this authority")]
Held = Annotated[bool, typer.Option("--held", help="those held, not those parked")]
Ids = Annotated[
    list[str] | None, typer.Argument(help="ids as `kvar parking list` shows them; the oldest message of each")
]


@dataclass(frozen=True, slots=True)
class Which:
    """The messages that a command is about: parked or held ones of some services."""

    services: list[str]
    held: bool

    @classmethod
    def of(cls, service: Service | None, *, held: bool) -> Which:
        """As a command's options say."""
        return cls([service.value] if service else list(topology.SERVICES), held)

    @property
    def state(self) -> str:
        """What they are."""
        return "held" if self.held else "parked"


@app.command("list")
def list_parked(
    service: Annotated[Service | None, typer.Argument(help="only this service's messages")] = None,
    limit: Annotated[int, typer.Option(min=1, help="messages of each service at most")] = 50,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a message, without content")] = False,
    held: Held = False,
) -> None:
    """List what is parked, or held, the oldest first. Nothing is changed."""
    _run(_list(Which.of(service, held=held), limit, json=json))


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(help="id as `kvar parking list` shows it")],
    service: OfService = None,
    body: Annotated[bool, typer.Option("--body", help="ingest's content, too: personal data")] = False,
    held: Held = False,
) -> None:
    """Show one message with its error and content. Nothing is changed."""
    _run(_show(message_id, Which.of(service, held=held), with_body=body))


@app.command()
def replay(
    ids: Ids = None,
    service: OfService = None,
    everything: Annotated[bool, typer.Option("--all", help="all that there is now, the oldest first")] = False,
    authority: OfAuthority = None,
    held: Held = False,
) -> None:
    """Send messages to their service again, with a new count of attempts. Mend the cause first."""
    which = Which.of(service, held=held)
    _ids_or_all(ids, everything, authority)
    _run(_replay_all(which, authority) if everything else _replay(set(ids or ()), which))


@app.command()
def drop(
    ids: Ids = None,
    *,
    service: OfService = None,
    everything: Annotated[bool, typer.Option("--all", help="all that there is now")] = False,
    authority: OfAuthority = None,
    held: Held = False,
    to: Annotated[Path | None, typer.Option(help="append a copy to this file, one JSON object a line")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Remove messages for good. What they said is then unknown to the service: keep a copy with --to."""
    which = Which.of(service, held=held)
    _ids_or_all(ids, everything, authority)
    _run(_drop_all(which, authority, to, sure=yes) if everything else _drop(set(ids or ()), which, to, sure=yes))


def _ids_or_all(ids: list[str] | None, everything: bool, authority: str | None) -> None:
    if bool(ids) == everything:
        raise typer.BadParameter("either ids or --all")
    if authority is not None and not everything:
        raise typer.BadParameter("--authority goes with --all")


async def _list(which: Which, limit: int, *, json: bool) -> None:
    async with _desk() as desk:
        counts: dict[str, int] = {}
        others: dict[str, int] = {}
        found: list[Parked] = []
        for service in which.services:
            async with desk.round(service, held=which.held) as walk:
                counts[service] = await walk.waiting()
                async for portion in walk.each(limit):
                    found += [Parked.of(service, message) for message in portion]
            if not which.held:
                async with desk.round(service, held=True) as walk:
                    others[service] = await walk.waiting()
    if json:
        for parked in found:
            typer.echo(as_json(parked))
        return
    as_table(found, counts, which.state)
    for service, count in others.items():
        if count:
            typer.echo(f"{service}: {count} held, see --held")


async def _show(message_id: str, which: Which, *, with_body: bool) -> None:
    async with _desk() as desk:
        found: list[Parked] = []
        for service in which.services:
            async with desk.round(service, held=which.held) as walk:
                found += [Parked.of(service, message) for message in await _find(walk, {message_id})]
    _all_found({message_id}, found, which)
    for parked in found:
        typer.echo(as_text(parked, with_body=with_body))


async def _replay(ids: set[str], which: Which) -> None:
    async with _desk() as desk:
        done: list[tuple[Parked, str | None]] = []
        for service in which.services:
            async with desk.round(service, held=which.held) as walk:
                done += await walk.replay(await _find(walk, ids))
    stayed = _say_what_stayed(done, which)
    typer.echo(f"{len(done) - stayed} sent again, {stayed} stayed.")
    _all_found(ids, [parked for parked, _ in done], which)
    if stayed:
        raise typer.Exit(1)


async def _replay_all(which: Which, authority: str | None) -> None:
    stayed = 0
    async with _desk() as desk:
        for service in which.services:
            sent = 0
            async with desk.round(service, held=which.held) as walk:
                async for portion in _all_now(walk, authority):
                    kept = _say_what_stayed(await walk.replay(portion), which)
                    sent += len(portion) - kept
                    stayed += kept
            typer.echo(f"{service}: {sent} sent again.")
    if stayed:
        raise _failure(f"{stayed} stayed {which.state}.")


async def _drop(ids: set[str], which: Which, to: Path | None, *, sure: bool) -> None:
    async with _desk() as desk:
        dropped: list[Parked] = []
        for service in which.services:
            async with desk.round(service, held=which.held) as walk:
                messages = await _find(walk, ids)
                found = [Parked.of(service, message) for message in messages]
                if found and (sure or await _agreed("Drop these for good?", found)):
                    await _remove(walk, messages, to)
                    typer.echo(f"{service}: {len(found)} dropped: {', '.join(parked.id for parked in found)}")
                dropped += found
    _all_found(ids, dropped, which)


async def _drop_all(which: Which, authority: str | None, to: Path | None, *, sure: bool) -> None:
    whose = f" of authority {authority}" if authority is not None else ""
    async with _desk() as desk:
        for service in which.services:
            dropped = 0
            async with desk.round(service, held=which.held) as walk:
                count = await walk.waiting()
                question = f"Drop all that is {which.state} in {service}{whose} ({count} in all) for good?"
                if not count or not (sure or await _agreed(question, [])):
                    continue
                async for portion in _all_now(walk, authority):
                    await _remove(walk, portion, to)
                    dropped += len(portion)
            typer.echo(f"{service}: {dropped} dropped.")


async def _all_now(walk: Round, authority: str | None) -> AsyncIterator[list[AbstractIncomingMessage]]:
    """All messages, or an authority's, but those that come back meanwhile: they would go round for ever."""
    async for portion in walk.each(await walk.waiting()):
        yield [each for each in portion if authority is None or authority_of(each) == authority]


async def _remove(walk: Round, messages: list[AbstractIncomingMessage], to: Path | None) -> None:
    _keep_copies([Parked.of(walk.service, message) for message in messages], to)
    for message in messages:
        await walk.remove(message)


async def _find(walk: Round, ids: set[str]) -> list[AbstractIncomingMessage]:
    """The oldest message of each id, as far as there are any."""
    missing, found = set(ids), []
    async for portion in walk.each(await walk.waiting()):
        for message in portion:
            if (known := Parked.of(walk.service, message).id) in missing:
                missing.discard(known)
                found.append(message)
        if not missing:
            break
    return found


async def _agreed(question: str, found: list[Parked]) -> bool:
    as_table(found, {})
    # In a thread: while a person thinks, the connection must go on saying that it is alive.
    return await asyncio.to_thread(typer.confirm, question)


def _keep_copies(found: list[Parked], to: Path | None) -> None:
    if to is None:
        return
    # For its owner alone: it may hold personal data.
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        for parked in found:
            file.write(as_ndjson(parked) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _say_what_stayed(done: list[tuple[Parked, str | None]], which: Which) -> int:
    stayed = [(parked, problem) for parked, problem in done if problem is not None]
    for parked, problem in stayed:
        typer.echo(f"{parked.service} {parked.id} stays {which.state}: {problem}", err=True)
    return len(stayed)


def _all_found(ids: set[str], found: list[Parked], which: Which) -> None:
    if absent := sorted(ids - {parked.id for parked in found}):
        raise _failure(f"Nothing {which.state} has the id {', '.join(absent)}.")


def _desk() -> AbstractAsyncContextManager[Desk]:
    return operating(load_settings().amqp_url)


def _run(work: Coroutine[Any, Any, None]) -> None:
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what it would say, we say
    try:
        asyncio.run(work)
    except SettingsError as error:
        raise _failure(f"Wrong settings: {error}") from error
    except Outage as outage:
        raise _failure(f"The broker does not answer ({outage}). KVAR_AMQP_URL says where it is.") from outage
    except (ParkingError, OSError) as error:
        raise _failure(f"Not possible: {error}") from error


def _failure(message: str) -> typer.Exit:
    sys.stdout.flush()
    typer.echo(message, err=True)
    return typer.Exit(1)
