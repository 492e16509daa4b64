"""The OpenAPI document: the contracts of the door are added to what the routes say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from shared.events.door import DoorEvent

if TYPE_CHECKING:
    from fastapi import FastAPI

TEMPLATE = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Completes the application's document when it is first asked for."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "DoorEvent" not in schemas:
            schemas |= _contracts()
        return document

    app.openapi = complete  # type: ignore[method-assign]


def _contracts() -> dict[str, Any]:
    event = TypeAdapter[BaseModel](DoorEvent).json_schema(ref_template=TEMPLATE)
    parts = event.pop("$defs")
    return {**parts, "DoorEvent": event}
