"""`kvar docs`: the contracts as documents, written from the code: AsyncAPI, OpenAPI and JSON Schema."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from faststream.specification import AsyncAPI
from pydantic import SecretStr

from shared.events import BEHIND_TYPES, DOOR_TYPES
from shared.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

SERVICES = ("ingest", "scoring", "notify", "reporting")
_PLACEHOLDER = SecretStr("only-to-write-the-documents-never-used")


def docs(folder: Annotated[Path, typer.Option(help="where to write")] = Path("docs")) -> None:
    """Write AsyncAPI, OpenAPI and JSON Schema documents from the code."""
    written = documents()
    for name, document in written.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_text(document), encoding="utf-8")
    typer.echo(f"{len(written)} documents written to {folder}")


def as_text(document: Any) -> str:
    """The document as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def documents() -> dict[str, Any]:
    """Every document by its path under `docs/`."""
    found: dict[str, Any] = {}
    for name in SERVICES:
        app = build(name)
        found[f"openapi/{name}.json"] = app.openapi()
        found[f"asyncapi/{name}.json"] = asyncapi(name, app)
    for kind, door in DOOR_TYPES.items():
        found[f"contracts/door/{kind}.schema.json"] = door.model_json_schema()
    for kind, event in BEHIND_TYPES.items():
        found[f"contracts/events/{kind}.schema.json"] = event.model_json_schema(by_alias=True)
    return found


def build(name: str) -> FastAPI:
    """A service's application; nothing is connected."""
    settings = Settings(
        publishers={"2480": _PLACEHOLDER},
        pseudonym_key=_PLACEHOLDER,
        service_token=_PLACEHOLDER,
        viewer_password=_PLACEHOLDER,
    )
    app: FastAPI = importlib.import_module(f"services.{name}.app").build(settings)
    return app


def asyncapi(name: str, app: FastAPI) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of a service's broker."""
    running = app.state.running
    document = AsyncAPI(
        running.broker, title=f"Kvar {name}", version="1", description=app.description, schema_version="3.0.0"
    )
    parsed: dict[str, Any] = json.loads(document.to_specification().to_json())
    # FastStream keeps subscribers in a set; without an order of ours each run would write another file.
    parsed["channels"] = dict(sorted(parsed["channels"].items()))
    parsed["operations"] = dict(sorted(parsed["operations"].items()))
    parsed["components"] = {kind: dict(sorted(found.items())) for kind, found in sorted(parsed["components"].items())}
    return parsed
