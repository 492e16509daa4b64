"""What tests share: a private broker and database, started once when the first test asks, each module with its own corner.

`KVAR_TEST_AMQP_URL`, with `KVAR_TEST_MANAGEMENT_URL` and `KVAR_TEST_BROKER_METRICS_URL`, makes them use a broker that runs
already, `KVAR_TEST_MONGO_URL` a database.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import broker, database, folder, processes
from deploy.local.ports import free_ports
from deploy.local.queues import Management

_RUNS = Path(__file__).parent.parent / "var" / "tests"


@dataclass(frozen=True, slots=True)
class BrokerServer:
    """A running broker: the address of its default virtual host, its management interface, its Prometheus metrics.

    `node`: the program, where the tests have started it.
    """

    amqp_url: str
    management: Management
    metrics_url: str
    node: processes.Program | None = None


@pytest.fixture(scope="session")
def run_folder() -> Iterator[Path]:
    """Folder of this test session, for servers: files, logs, records of what runs. Removed at the end."""
    folder.sweep(_RUNS)
    mine = _RUNS / f"{os.getpid()}-{secrets.token_hex(4)}"
    with folder.locked(mine):
        yield mine
        shutil.rmtree(mine)


@contextlib.contextmanager
def _running(run_folder: Path, *programs: processes.Program) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for program in programs:
            child = processes.start(program, run_folder)
            # At once, without asking: the data is thrown away, and a broker takes 6 s to say goodbye.
            stack.callback(child.stop, at_once=True)
            child.wait_ready()
        yield


@pytest.fixture(scope="session")
def broker_server(request: pytest.FixtureRequest) -> Iterator[BrokerServer]:
    """The broker of this test session."""
    with contextlib.ExitStack() as stack:
        if given := os.environ.get("KVAR_TEST_AMQP_URL"):
            beside = ("KVAR_TEST_MANAGEMENT_URL", "KVAR_TEST_BROKER_METRICS_URL")
            if absent := [name for name in beside if name not in os.environ]:
                raise pytest.UsageError(f"KVAR_TEST_AMQP_URL needs {' and '.join(absent)} as well")
            node, url, (management_url, metrics_url) = None, given, (os.environ[name] for name in beside)
        else:
            run_folder: Path = request.getfixturevalue("run_folder")
            ports = broker.BrokerPorts(*free_ports(5))
            mapper, node = broker.broker_programs(run_folder / "broker", ports)
            stack.enter_context(_running(run_folder, mapper, node))
            url, management_url = broker.amqp_url(ports), broker.management_url(ports)
            metrics_url = broker.metrics_url(ports)
        management = Management(management_url)
        stack.callback(management.close)
        yield BrokerServer(url, management, metrics_url, node)


@pytest.fixture(scope="session")
def amqp_url(broker_server: BrokerServer) -> str:
    """Address of the broker's default virtual host, which all tests share: prefer `module_amqp_url`."""
    return broker_server.amqp_url


@contextlib.contextmanager
def _vhosts(server: BrokerServer) -> Iterator[Callable[[], str]]:
    """Makes empty virtual hosts (20 ms), and removes them at the end: thousands of idle quorum queues slow a broker down."""
    with contextlib.ExitStack() as stack:

        def make() -> str:
            name = f"test-{secrets.token_hex(6)}"
            server.management.create_vhost(name)
            stack.callback(server.management.delete_vhost, name)
            return f"{server.amqp_url.rstrip('/')}/{name}"

        yield make


@pytest.fixture
def new_vhost(broker_server: BrokerServer) -> Iterator[Callable[[], str]]:
    """Makes an empty virtual host and returns its address; it is gone when the test is."""
    with _vhosts(broker_server) as make:
        yield make


@pytest.fixture(scope="session")
def session_amqp_url(broker_server: BrokerServer) -> Iterator[str]:
    """Address of a virtual host that lasts as long as the session."""
    with _vhosts(broker_server) as make:
        yield make()


@pytest.fixture(scope="module")
def module_amqp_url(broker_server: BrokerServer) -> Iterator[str]:
    """Address of a virtual host that only this test module uses."""
    with _vhosts(broker_server) as make:
        yield make()


@pytest.fixture(scope="session")
def mongo_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of the database server of this test session."""
    if given := os.environ.get("KVAR_TEST_MONGO_URL"):
        yield given
        return
    run_folder: Path = request.getfixturevalue("run_folder")
    [port] = free_ports(1)
    with _running(run_folder, database.database_program(run_folder / "database", port)):
        yield database.mongo_url(port)


@pytest.fixture(scope="module")
def module_database() -> str:
    """Name of a database that only this test module uses."""
    return f"test_{secrets.token_hex(6)}"
