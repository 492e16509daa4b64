"""Whether HTTP interfaces do what their OpenAPI documents say: schemathesis, with all its checks, against running services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

HOOKS = Path(__file__).parent / "interfaces_hooks.py"

# What the schema cannot know: today's date, whose token it is, and that the kept item of a replay is still bad.
_EXPECTED = """
hooks = {hooks}
{credentials}
[[operations]]
include-path = "/v1/events"
checks.positive_data_acceptance.expected-statuses = ["2xx", 422]
checks.negative_data_rejection.expected-statuses = ["4xx", 207]
[[operations]]
include-path-regex = "/replay$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]
"""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of a service's interface. `report`: all that schemathesis says, for people."""

    cases: int
    mismatches: int
    report: str


def credentials(*, publisher: str, service: str, password: str) -> str:
    """The secrets of all services, each under the name that OpenAPI documents have for it."""
    return f"""
[auth.openapi.publisher]
bearer = {json.dumps(publisher)}
[auth.openapi.service]
bearer = {json.dumps(service)}
[auth.openapi.HTTPBearer]
bearer = {json.dumps(service)}
[auth.openapi.HTTPBasic]
username = "kvar"
password = {json.dumps(password)}
"""


def fuzz(
    url: str,
    folder: Path,
    known: str,
    *,
    examples: int,
    seconds: float,
    seed: int | None = None,
    is_short: bool = False,
) -> Fuzzed:
    """Asks everything that the service's document at `url` offers, rightly and wrongly.

    Args:
        url: where the service answers.
        folder: for the files of the run.
        known: `credentials`.
        examples: random requests of each operation, beside all that follow from the bounds in its document.
        seconds: how long it may take.
        seed: of the random ones; None: the same each time.
        is_short: of a body that may come in several media types only the first is tried.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, document, report = (folder / name for name in ("schemathesis.toml", "openapi.json", "report.json"))
    document.write_text(json.dumps(_document(url, is_short=is_short)), encoding="utf-8")
    config.write_text(_EXPECTED.format(hooks=json.dumps(str(HOOKS)), credentials=known), encoding="utf-8")
    options = ["--checks", "all", "--phases", "examples,coverage,fuzzing", "--warnings", "off", "--continue-on-failure"]
    options += ["--max-examples", str(examples), "--report", "json", "--report-json-path", str(report), "--no-color"]
    options += ["--generation-deterministic"] if seed is None else ["--seed", str(seed)]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", str(document)]
    environment = {**os.environ, "PYTHONPATH": str(HOOKS.parents[1])}
    with subprocess.Popen(
        [*command, "--url", url, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            told, _ = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            return Fuzzed(0, 1, f"not done within {seconds:.0f} s\n{running.communicate()[0]}")
    if not report.exists():
        return Fuzzed(0, 1, told)
    found = json.loads(report.read_text(encoding="utf-8"))
    mismatches = len(found["failures"]) + len(found["errors"]) + (running.returncode != 0)
    return Fuzzed(found["test_cases"]["generated"], mismatches, told)


def _document(url: str, *, is_short: bool) -> Any:
    document = httpx.get(f"{url}/openapi.json", trust_env=False).raise_for_status().json()
    bodies = [
        one["requestBody"]["content"]
        for path in document["paths"].values()
        for one in path.values()
        if "requestBody" in one
    ]
    for body in bodies if is_short else ():
        for kind in list(body)[1:]:
            del body[kind]
    return document
