"""Parked and held messages in words: a table, a page, a line of JSON. Everything in them may come from a stranger."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.messaging.parked import Parked

UNPSEUDONYMISED = "ingest"
"""Its messages may be as a publisher sent them: who looks at them says so."""
ERROR_LENGTH = 160


def as_table(found: list[Parked], counts: dict[str, int], state: str = "parked") -> None:
    """Prints messages as a table and what else there is. `state`: parked or held."""
    console = Console()
    if found:
        table = Table("service", "id", "authority", "type", "subject", "routing key", "attempts", "parked at", "error")
        for parked in found:
            table.add_row(*(Text(_printable(value), overflow="fold") for value in _summary(parked).values()))
        console.print(table)
    shown = {service: sum(parked.service == service for parked in found) for service in counts}
    for service, count in counts.items():
        more = f", {shown[service]} shown: --limit for more" if count > shown[service] else ""
        if count:
            console.print(f"{service}: {count} {state}{more}", highlight=False)
    if counts and not any(counts.values()):
        console.print(f"Nothing is {state}.", highlight=False)


def as_json(parked: Parked) -> str:
    """One line without content."""
    return orjson.dumps(_summary(parked)).decode()


def as_ndjson(parked: Parked) -> str:
    """One line with everything, for a copy that can be read back: `body`, or `body_base64` when it is no text."""
    line: dict[str, Any] = {**_facts(parked), "error": parked.error, "traceback": parked.traceback}
    try:
        line["body"] = parked.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(parked.body).decode()
    return orjson.dumps(line).decode()


def as_text(parked: Parked, *, with_body: bool) -> str:
    """Everything about one message. What ingest holds is left out unless it is asked for."""
    lines = [
        f"{name.replace('_', ' ')}: {_printable(value)}" for name, value in _summary(parked, whole=with_body).items()
    ]
    if parked.service == UNPSEUDONYMISED and not with_body:
        return "\n".join([*lines, "", "Content, error and traceback may hold personal data: --body shows them."])
    return "\n".join([*lines, "", *_printable_lines(parked.traceback), "", *_printable_lines(_body(parked.body))])


def _summary(parked: Parked, *, whole: bool = False) -> dict[str, str]:
    facts = _facts(parked)
    error = " ".join(parked.error.split())
    if parked.service == UNPSEUDONYMISED and not whole:
        facts["subject"] = ""
        error = error.partition(":")[0]
    return {**facts, "error": error if whole else error[:ERROR_LENGTH]}


def _facts(parked: Parked) -> dict[str, str]:
    return {
        "service": parked.service,
        "id": parked.id,
        "authority": parked.authority,
        "type": parked.type,
        "subject": parked.subject,
        "routing_key": parked.routing_key,
        "attempts": str(parked.attempts),
        "parked_at": parked.parked_at.isoformat(timespec="seconds") if parked.parked_at else "",
    }


def _body(body: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode(errors="backslashreplace")


def _printable(value: str) -> str:
    """Without what a terminal would obey."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


def _printable_lines(value: str) -> list[str]:
    return [_printable(line) for line in value.splitlines()]
