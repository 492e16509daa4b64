"""`kvar parking`: messages that no service could work on, read, sent again or dropped by an operator."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.errors import Outage
from shared.messaging import topology
from shared.messaging.parked import Parked
from shared.messaging.parking import ParkingError, Round, operating
from shared.messaging.parking_text import as_json, as_ndjson, as_table, as_text
from shared.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage

    from shared.messaging.parking import Desk

app = typer.Typer(
    no_args_is_help=True,
    help="Parked messages: list, show, replay, drop. Behind the door they bear pseudonyms only; those of ingest may be as their "
    "publisher sent them, with names and national ids, so their content and error are shown with --body only.",
)

Service = StrEnum("Service", {name: name for name in topology.SERVICES})  # type: ignore[misc]

OfService = Annotated[Service | None, typer.Option("--service", help="only this service's messages")]
Ids = Annotated[list[str], typer.Argument(help="ids as `kvar parking list` shows them; the oldest message of each")]


@app.command("list")
def list_parked(
    service: Annotated[Service | None, typer.Argument(help="only this service's messages")] = None,
    limit: Annotated[int, typer.Option(min=1, help="messages of each service at most")] = 50,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a message, without content")] = False,
) -> None:
    """List what is parked, the oldest first. Nothing is changed."""
    _run(_list(_services(service), limit, json=json))


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(help="id as `kvar parking list` shows it")],
    service: OfService = None,
    body: Annotated[bool, typer.Option("--body", help="ingest's content, too: personal data")] = False,
) -> None:
    """Show one message with its error and content. Nothing is changed."""
    _run(_show(message_id, _services(service), with_body=body))


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="ids as `kvar parking list` shows them")] = None,
    service: OfService = None,
    everything: Annotated[bool, typer.Option("--all", help="all that is parked now")] = False,
) -> None:
    """Send messages to their service again, with a new count of attempts. Mend the cause first."""
    if bool(ids) == everything:
        raise typer.BadParameter("either ids or --all")
    if everything:
        _run(_replay_all(_services(service)))
    else:
        _run(_replay(set(ids or ()), _services(service)))


@app.command()
def drop(
    ids: Ids,
    service: OfService = None,
    to: Annotated[Path | None, typer.Option(help="append a copy to this file, one JSON object a line")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Remove messages for good. What they said is then unknown to the service: keep a copy with --to."""
    _run(_drop(set(ids), _services(service), to, sure=yes))


async def _list(services: list[str], limit: int, *, json: bool) -> None:
    async with _desk() as desk:
        counts: dict[str, int] = {}
        found: list[Parked] = []
        for service in services:
            async with desk.round(service) as walk:
                counts[service] = await walk.waiting()
                async for portion in walk.each(limit):
                    found += [Parked.of(service, message) for message in portion]
    if json:
        for parked in found:
            typer.echo(as_json(parked))
    else:
        as_table(found, counts)


async def _show(message_id: str, services: list[str], *, with_body: bool) -> None:
    async with _desk() as desk:
        found: list[Parked] = []
        for service in services:
            async with desk.round(service) as walk:
                found += [Parked.of(service, message) for message in await _find(walk, {message_id})]
    _all_found({message_id}, found)
    for parked in found:
        typer.echo(as_text(parked, with_body=with_body))


async def _replay(ids: set[str], services: list[str]) -> None:
    async with _desk() as desk:
        done: list[tuple[Parked, str | None]] = []
        for service in services:
            async with desk.round(service) as walk:
                done += await walk.replay(await _find(walk, ids))
    stayed = _say_what_stayed(done)
    typer.echo(f"{len(done) - stayed} sent again, {stayed} stayed.")
    _all_found(ids, [parked for parked, _ in done])
    if stayed:
        raise typer.Exit(1)


async def _replay_all(services: list[str]) -> None:
    stayed = 0
    async with _desk() as desk:
        for service in services:
            sent = 0
            async with desk.round(service) as walk:
                # Not what comes back meanwhile: it would go round for ever.
                async for portion in walk.each(await walk.waiting()):
                    kept = _say_what_stayed(await walk.replay(portion))
                    sent += len(portion) - kept
                    stayed += kept
            typer.echo(f"{service}: {sent} sent again.")
    if stayed:
        raise _failure(f"{stayed} stayed parked.")


async def _drop(ids: set[str], services: list[str], to: Path | None, *, sure: bool) -> None:
    async with _desk() as desk:
        dropped: list[Parked] = []
        for service in services:
            async with desk.round(service) as walk:
                messages = await _find(walk, ids)
                found = [Parked.of(service, message) for message in messages]
                if found and (sure or await _agreed(found)):
                    _keep_copies(found, to)
                    for message in messages:
                        await walk.remove(message)
                    typer.echo(f"{service}: {len(found)} dropped: {', '.join(parked.id for parked in found)}")
                dropped += found
    _all_found(ids, dropped)


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


async def _agreed(found: list[Parked]) -> bool:
    as_table(found, {})
    # In a thread: while a person thinks, the connection must go on saying that it is alive.
    return await asyncio.to_thread(typer.confirm, "Drop these for good?")


def _keep_copies(found: list[Parked], to: Path | None) -> None:
    if to is None:
        return
    # For its owner alone: it may hold personal data.
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        for parked in found:
            file.write(as_ndjson(parked) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _say_what_stayed(done: list[tuple[Parked, str | None]]) -> int:
    stayed = [(parked, problem) for parked, problem in done if problem is not None]
    for parked, problem in stayed:
        typer.echo(f"{parked.service} {parked.id} stays parked: {problem}", err=True)
    return len(stayed)


def _all_found(ids: set[str], found: list[Parked]) -> None:
    if absent := sorted(ids - {parked.id for parked in found}):
        raise _failure(f"Nothing parked has the id {', '.join(absent)}.")


def _services(service: Service | None) -> list[str]:
    return [service.value] if service else list(topology.SERVICES)


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
