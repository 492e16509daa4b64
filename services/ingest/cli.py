"""`kvar rejected`: what was refused at the door, read and sent again by an operator. `kvar student`: who a reference is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Column, Table

from shared.settings import SettingsError, load_settings

TIMEOUT_SECONDS = 60.0
ID_LENGTH = 32
"""Never cut off: it is what `show` and `replay` are called with."""

app = typer.Typer(no_args_is_help=True, help="Items refused at the door: list, show, replay.")
console = Console()

ItemId = Annotated[str, typer.Argument(help="id of the item, as `kvar rejected list` shows it")]


@app.command("list")
def list_items(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="items at most")] = 50,
    after: Annotated[str | None, typer.Option(help="continue where a listing ended")] = None,
) -> None:
    """List refused items, the oldest first, without their content."""
    page = _ask("GET", "/internal/rejected", params={"limit": limit, **({"after": after} if after else {})})
    table = Table(Column("item", min_width=ID_LENGTH), Column("fault", overflow="fold"), show_lines=True)
    for item in page["items"]:
        fault = "; ".join(f"{each['path']}: {each['expected']}" for each in item["errors"]) or item["reason"]
        if item["items"] > 1:
            fault = f"{item['items']} more of one request: {fault}"
        came = f"{item['authority'] or 'unknown'} {item['door']} {item['status']}"
        seen = f"{item['count']} × until {item['last_seen_at'][:19]}"
        table.add_row(f"{item['id']}\n{came}\n{seen}", fault)
    console.print(table)
    if page["next"]:
        console.print(f"More: kvar rejected list --after {page['next']}", soft_wrap=True)  # to be copied as it is


@app.command()
def show(item_id: ItemId) -> None:
    """Show one refused item with its content. It may hold personal data."""
    console.print_json(data=_ask("GET", f"/internal/rejected/{item_id}"))


@app.command()
def replay(
    item_id: ItemId,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="it is right although it contradicts what is known: the new national id, or name and address, replaces that",
        ),
    ] = False,
) -> None:
    """Send one refused item through the door again."""
    receipt = _ask("POST", f"/internal/rejected/{item_id}/replay", params={"confirm": True} if confirm else None)
    item = receipt["items"][0]
    if item.get("note"):
        raise _failure(f"{item['status']}: {item['note']}. The item stays open.")
    console.print(item["status"])


def student(
    reference: Annotated[str, typer.Argument(help="as the system sends it: id:…, civic:…, ss12000:…")],
    authority: Annotated[str, typer.Option(help="code of the authority")],
    source: Annotated[str, typer.Option(help="name of the system, or the whole source of its events")],
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Show who a reference is: the pseudonym, and what ingest knows of it. It may show personal data."""
    query = {"reference": reference, "authority": authority, "source": source}
    found = _ask("GET", "/internal/students", params=query)
    if as_json:
        console.print_json(data=found)
        return
    table = Table(show_header=False, box=None)
    for name, value in _shown(found):
        table.add_row(name, value)
    console.print(table)


def _shown(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "pseudonym", found["pseudonym"]
    yield "space", found["space"] or "the whole authority"
    yield "known since", found["since"]
    yield "other references", str(found["other_references"])
    names = " ".join(filter(None, (found["given_name"], found["family_name"])))
    yield "name", "protected identity" if found["protected"] else names or "not known"
    if found["turns_18_on"] is not None:
        yield "turns 18 on", found["turns_18_on"]


def _ask(method: str, path: str, params: dict[str, Any] | None = None) -> Any:
    """Asks ingest with the service token; a problem ends the command with what it says and exit status 1."""
    try:
        settings = load_settings()
        token = settings.secret("service_token", 16)
    except SettingsError as error:
        raise _failure(f"Wrong settings: {error}") from error
    try:
        response = httpx.request(
            method,
            settings.ingest_url.rstrip("/") + path,
            params=params,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
        )
    except httpx.TransportError as error:
        raise _failure(
            f"Ingest at {settings.ingest_url} does not answer ({error}). KVAR_INGEST_URL says where."
        ) from error
    if not response.is_success:
        raise _failure(_explained(response))
    return response.json()


def _explained(response: httpx.Response) -> str:
    if "json" not in response.headers.get("content-type", ""):
        return f"Ingest answered {response.status_code}."
    problem = response.json()
    faults = [
        f"  {error['path']}: found {error['found']}, expected {error['expected']}"
        for item in problem.get("items", [])
        for error in item.get("errors", [])
    ]
    return "\n".join([f"{problem['title']}: {problem['detail']}", *faults])


def _failure(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
