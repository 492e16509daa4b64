"""Ports: what is free, and the message when something is not."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deploy.local.layout import Ports
from deploy.local.ports import HOST, PortInUseError, accepts, free_ports, is_free, require_free
from deploy.local.stack import CHECKOUT


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_with_a_listener_is_not_free(taken: int) -> None:
    assert not is_free(taken)
    assert accepts(taken)


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(12)
    assert len(set(ports)) == 12
    assert all(is_free(port) and not accepts(port) for port in ports)


def test_two_processes_choose_from_different_ports() -> None:
    mine = set(free_ports(400))
    chosen = "from deploy.local.ports import free_ports; print(*free_ports(400))"
    theirs = subprocess.run([sys.executable, "-c", chosen], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert not mine & {int(port) for port in theirs.stdout.split()}


def test_the_message_names_what_is_taken_and_what_to_do(taken: int) -> None:
    [free] = free_ports(1)
    with pytest.raises(PortInUseError) as raised:
        require_free([("ingest", taken), ("scoring", free)], advice="Add PORT=18000.")
    assert f"port {taken} (for ingest)" in str(raised.value)
    assert str(free) not in str(raised.value)
    assert str(raised.value).endswith("Add PORT=18000.")


def test_a_run_uses_a_dozen_ports_after_its_base() -> None:
    assert sorted(port for _, port in Ports(18_000).named()) == list(range(18_001, 18_013))
