"""What the demo shows at its end of groups and of mails, from interfaces that answer over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from rich.console import Console, RenderableType

from deploy.demo.player import PlayResult
from deploy.local.layout import Ports, Secrets, load_or_make_secrets
from deploy.local.mails import Mail
from deploy.local.outcome import read_outcome, signals_computed
from deploy.local.ports import free_ports, is_free
from deploy.local.report import figures, worse_groups

MORNING = datetime(2026, 2, 3, 8, 0, tzinfo=UTC)
UNIT = "Norra skolan (påhittad)"
WORSE = {
    "subject": "group:NA25",
    "indicator": "late_arrivals",
    "state": "worse",
    "numbers": {"recent_late_per_student": 2.5, "earlier_late_per_student": 0.6, "unit_late_per_student": 0.7},
}
Answer = Callable[[str, dict[str, list[str]]], Any]


@pytest.fixture
def ports() -> Ports:
    for base in free_ports(100):
        if all(is_free(port) for _, port in Ports(base).named()):
            return Ports(base)
    pytest.fail("no dozen of free ports in a row")


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return load_or_make_secrets(tmp_path / "secrets.json", ["2480"])


@pytest.fixture
def serve(ports: Ports) -> Iterator[Callable[[str, Answer], None]]:
    """Lets a service answer requests by path and query: with JSON, or a text as it is."""
    with ExitStack() as stack:

        def start(service: str, answer: Answer) -> None:
            server = ThreadingHTTPServer(("127.0.0.1", ports.service(service)), _handler(answer))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)

        yield start


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            found = answer(unquote(url.path), parse_qs(url.query))
            body = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Says nothing."""

    return Handler


def reporting(path: str, query: dict[str, list[str]]) -> Any:
    if path == "/v1/units":
        calm = {"school_unit": None, "authority": "2480", "worse_signals": 0}
        return {"units": [{"school_unit": UNIT, "authority": "2480", "worse_signals": 1}, calm]}
    assert (path, query) == (f"/v1/units/{UNIT}", {"authority": ["2480"]})
    return {"signals": [WORSE, {**WORSE, "state": "usual", "subject": "group:SA25"}]}


async def test_the_outcome_is_what_the_interfaces_tell(
    ports: Ports, secrets: Secrets, serve: Callable[[str, Answer], None]
) -> None:
    serve("reporting", reporting)
    outcome = await read_outcome(ports, secrets)
    assert [unit["school_unit"] for unit in outcome.units] == [UNIT, None]
    assert outcome.worse == [WORSE]


async def test_a_service_that_is_away_is_no_outcome(ports: Ports, secrets: Secrets) -> None:
    with pytest.raises(httpx.HTTPError):
        await read_outcome(ports, secrets)


async def test_signals_are_waited_for_while_any_unit_waits_for_them(
    ports: Ports, serve: Callable[[str, Answer], None]
) -> None:
    answers = ["", "kvar_scoring_signals_waiting_seconds 12.5\n", "kvar_scoring_signals_waiting_seconds 0.0\n"]
    serve("scoring", lambda *_: answers.pop(0))
    assert await signals_computed(ports)
    assert answers == []


def shown(what: RenderableType) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(what)
    return capture.get().replace("\N{NO-BREAK SPACE}", " ")


def test_groups_that_worsen_have_a_line_each() -> None:
    lines = shown(worse_groups([WORSE])).splitlines()
    assert lines[0] == "Groups that worsen together"
    assert lines[1].startswith("  The whole group NA25: 2.5 late arrivals per student")
    assert "none at present" in shown(worse_groups([]))


def test_withdrawals_are_counted_apart_and_do_not_slow_the_figures_of_changes() -> None:
    alerts = [_mail(1.0), _mail(2.0), _mail(6.0, withdraws="p_a:1"), _mail(9.0, withdraws="p_b:1")]
    text = shown(figures(PlayResult(), alerts, {}))
    [of_changes] = [line for line in text.splitlines() if line.startswith("Changes of level")]
    [of_withdrawals] = [line for line in text.splitlines() if line.startswith("Withdrawals")]
    assert "2 mails; from event to mail p50 1.00 s, p99 2.00 s" in of_changes
    assert "2 mails; from event to mail p50 6.00 s, p99 9.00 s, some seconds of it waited on purpose" in of_withdrawals


def test_a_run_without_withdrawals_says_so() -> None:
    text = shown(figures(PlayResult(), [_mail(1.0)], {}))
    assert [line.split() for line in text.splitlines() if "Withdrawals" in line] == [["Withdrawals", "no", "mails"]]


def _mail(latency_seconds: float, *, withdraws: str | None = None) -> Mail:
    arrived = MORNING + timedelta(seconds=latency_seconds)
    return Mail("m1", "kvar@localhost", "coach@example.org", "Alert", "Why", arrived, MORNING, withdraws)
