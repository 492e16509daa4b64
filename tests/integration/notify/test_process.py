"""Notify as a process: starts by its settings, says when it is ready, stops when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from deploy.local.ports import free_ports

pytestmark = pytest.mark.integration

COMMAND = (sys.executable, "-m", "services.notify")


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KVAR_")}
    return {**kept, **{f"KVAR_{name.upper()}": value for name, value in settings.items()}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "KVAR_SERVICE_TOKEN"),
        ({"service_token": "t" * 16, "smtp_url": "smtp://mail.example?tls=yes"}, "KVAR_SMTP_URL"),
        ({"service_token": "t" * 16, "smpt_url": "smtp://mail.example"}, "KVAR_SMPT_URL: unknown setting"),
    ],
    ids=["missing", "wrong", "misspelt"],
)
async def test_wrong_settings_end_the_process_with_a_message(settings: dict[str, str], message: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env=environment(**settings), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert message in errors.decode()


async def test_it_becomes_ready_and_stops_on_sigterm(
    new_vhost: Callable[[], str], mongo_url: str, module_database: str
) -> None:
    [port] = free_ports(1)
    settings = environment(
        amqp_url=new_vhost(),
        mongo_url=mongo_url,
        mongo_database=module_database,
        http_port=str(port),
        service_token="t" * 16,
    )
    process = await asyncio.create_subprocess_exec(*COMMAND, env=settings, stderr=asyncio.subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            while not await _ready(client):
                assert process.returncode is None, "the process ended"
                assert time.monotonic() < deadline, "not ready in time"
                await asyncio.sleep(0.1)
            assert "kvar_open_alerts" in (await client.get("/metrics")).text
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False
