"""Starting, keeping up and ending the whole, with one small program in the place of the services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from deploy.local.folder import locked
from deploy.local.layout import PORTS_OF_A_RUN, Ports, load_or_make_secrets
from deploy.local.ports import PortInUseError, free_row, is_free
from deploy.local.processes import Program, kill_marked, marked
from deploy.local.stack import CHECKOUT, SERVERS, Stack, readiness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.integration

SERVICE = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ready")
    def log_message(self, *_): ...
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""

RUN = """
import pathlib, sys, time
from tests.integration.local.test_stack import small_stack
from deploy.local.folder import locked
folder = pathlib.Path(sys.argv[1])
with locked(folder), small_stack(folder, int(sys.argv[2]), print).running():
    (folder / "up").touch()
    time.sleep(600)
"""


def small_stack(folder: Path, base: int, report: Callable[[str], None]) -> Stack:
    ports = Ports(base)
    url = ports.url(ports.service("ingest"))
    command = [sys.executable, "-c", SERVICE, str(ports.service("ingest"))]
    service = Program("small", command, dict(os.environ), readiness(url))
    secrets = load_or_make_secrets(folder / "secrets.json", ["2480"])
    return Stack(folder, ports, secrets, report, services=[service], throw_away=True)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)


def test_a_port_in_use_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    base = free_row(PORTS_OF_A_RUN)
    with locked(tmp_path):
        stack = small_stack(tmp_path, base, print)
        with subprocess.Popen([sys.executable, "-c", SERVICE, str(stack.ports.smtp)]) as other:
            try:
                wait_for(lambda: not is_free(stack.ports.smtp), "the other program")
                with (
                    pytest.raises(PortInUseError, match=rf"{stack.ports.smtp} \(for SMTP\).*PORT=18000"),
                    stack.running(),
                ):
                    pytest.fail("it started")
            finally:
                other.kill()
    assert not (tmp_path / "log").exists()


def test_it_starts_again_after_everything_was_killed_and_restarts_what_is_killed(tmp_path: Path) -> None:
    base = free_row(PORTS_OF_A_RUN)
    run = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path), str(base)], cwd=CHECKOUT, start_new_session=True)
    try:
        wait_for((tmp_path / "up").exists, "the first run to be up", 90.0)
    finally:
        run.kill()
        run.wait()
    assert not is_free(Ports(base).broker.amqp), (
        "killing the runner must leave the broker for this test to mean anything"
    )

    said: list[str] = []
    with locked(tmp_path) as ended:
        assert set(ended) == {"database", "epmd", "mailsink", "rabbitmq", "small"}
        stack = small_stack(tmp_path, base, said.append)
        with stack.running() as supervisor:
            for name in ("small", "mailsink"):
                _kill(tmp_path, name)
                wait_for(lambda name=name: f"{name} is ready again" in said, f"{name} to be back")  # type: ignore[misc]
            assert supervisor.restarts == {"small": 1, "mailsink": 1}
            assert httpx.get(f"{stack.ports.url(stack.ports.mail_pages)}/", trust_env=False).is_success
            marks = {name: _mark(tmp_path, name) for name in (*SERVERS, "small")}
    assert [name for name, mark in marks.items() if list(marked(mark))] == []
    assert list((tmp_path / "records").iterdir()) == []


def _kill(folder: Path, name: str) -> None:
    kill_marked(_mark(folder, name))


def _mark(folder: Path, name: str) -> str:
    mark: str = json.loads((folder / "records" / f"{name}.json").read_text())["mark"]
    return mark
