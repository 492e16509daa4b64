"""A private RabbitMQ node: own data, ports, cookie and port mapper, so that no other node on the machine notices.

Uses the server of the system's package (Debian, Ubuntu, Fedora, Homebrew) by its versioned script, which works for any
user; the wrapper that Debian puts on the PATH insists on root.

Two of its plugins are on. *Management* makes a virtual host in 20 ms instead of a second by `rabbitmqctl`. *Prometheus*
tells what is unacknowledged: a passive declaration knows only what is ready, and the counts of management are 5 s old.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from glob import glob
from pathlib import Path
from urllib.parse import quote

from deploy.local.ports import HOST, accepts
from deploy.local.processes import Program, StartError

_SERVER_SCRIPTS = (
    "/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server",
    "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
    "/home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
)
_ERLANG_FOLDERS = ("/usr/lib/erlang/bin", "/opt/homebrew/bin", "/usr/local/bin", "/home/linuxbrew/.linuxbrew/bin")

FAST_COUNTS_SECONDS = 0.1
"""For the demo, which waits after each school day until all queues are empty. 30 idle queues cost 10 % of a core so, against
4 % with the default; RabbitMQ's own is 5 s."""
COUNTS_SECONDS = 0.5

MOST_BYTES_A_MESSAGE = 1 << 20
"""As in `deploy/rabbitmq/rabbitmq.conf`."""

# The journal of quorum queues is also held in memory: 64 MB of it instead of 512 keeps the node small.
_CONFIGURATION = """\
listeners.tcp.local = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {metrics}
raft.wal_max_size_bytes = 64000000
max_message_size = {message_bytes}
log.file = false
log.console = true
log.console.level = info
"""
_ADVANCED_CONFIGURATION = "[{{rabbit, [{{quorum_tick_interval, {milliseconds:.0f}}}]}}].\n"
_PLUGINS = "[rabbitmq_management, rabbitmq_prometheus].\n"

# RabbitMQ 3.10 compiles its feature flags at first start: 11 s here with two busy cores.
_READY_SECONDS = 120.0
_CONTROL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BrokerPorts:
    """Where a node listens: AMQP, management and metrics (HTTP), Erlang distribution, and its own Erlang port mapper."""

    amqp: int
    management: int
    metrics: int
    distribution: int
    mapper: int


def broker_programs(
    folder: Path, ports: BrokerPorts, *, counts_seconds: float = COUNTS_SECONDS
) -> tuple[Program, Program]:
    """The port mapper and the node, in the order of starting.

    Args:
        folder: For all their files.
        ports: Where they listen.
        counts_seconds: How old the node's counts of messages may be.

    Raises:
        StartError: RabbitMQ or Erlang is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_settings(folder, ports, counts_seconds)
    environment = _environment(folder, ports)
    mapper = Program(
        "epmd",
        [_mapper_program(environment["PATH"]), "-port", str(ports.mapper), "-address", HOST],
        environment,
        lambda: None if accepts(ports.mapper) else "its port does not answer",
        ready_seconds=10.0,
    )
    node = Program("rabbitmq", [str(server_script())], environment, lambda: _missing(ports), _READY_SECONDS)
    return mapper, node


def control(node: Program, *arguments: str) -> None:
    """Has `rabbitmqctl` say something to a node that runs.

    Raises:
        subprocess.CalledProcessError: the node, or the command, does not know it.
    """
    program = Path(node.command[0]).with_name("rabbitmqctl")
    subprocess.run(
        [program, *arguments], env=node.environment, check=True, capture_output=True, timeout=_CONTROL_SECONDS
    )


def amqp_url(ports: BrokerPorts, vhost: str = "/") -> str:
    """Address of a virtual host for clients."""
    return f"amqp://guest:guest@{HOST}:{ports.amqp}/{'' if vhost == '/' else quote(vhost, safe='')}"


def metrics_url(ports: BrokerPorts) -> str:
    """Address of the node's Prometheus metrics."""
    return f"http://{HOST}:{ports.metrics}/metrics"


def management_url(ports: BrokerPorts) -> str:
    """Address of the management interface and its pages."""
    return f"http://{HOST}:{ports.management}"


def server_script() -> Path:
    """The script that starts a RabbitMQ server as any user.

    Raises:
        StartError: None is installed in a known place.
    """
    for pattern in _SERVER_SCRIPTS:
        if found := sorted(glob(pattern)):  # noqa: PTH207 - the patterns are absolute
            return Path(found[-1])
    raise StartError(
        "RabbitMQ is not installed. On Debian and Ubuntu: sudo apt-get install rabbitmq-server; "
        "on macOS: brew install rabbitmq. Only its files are used: a private node runs beside any other."
    )


def _write_settings(folder: Path, ports: BrokerPorts, counts_seconds: float) -> None:
    files = {
        "rabbitmq.conf": _CONFIGURATION.format(host=HOST, message_bytes=MOST_BYTES_A_MESSAGE, **asdict(ports)),
        "advanced.config": _ADVANCED_CONFIGURATION.format(milliseconds=1000 * counts_seconds),
        "enabled_plugins": _PLUGINS,
    }
    for name, text in files.items():
        (folder / name).write_text(text)


def _environment(folder: Path, ports: BrokerPorts) -> Mapping[str, str]:
    return {
        "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *_ERLANG_FOLDERS]),
        "LANG": "C.UTF-8",
        "HOME": str(folder),  # Erlang keeps its cookie there
        "ERL_EPMD_PORT": str(ports.mapper),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
        # By number, because a bare machine may not know the name "localhost".
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_NODENAME": f"kvar@{HOST}",
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-system-settings"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
    }


def _mapper_program(path: str) -> str:
    found = shutil.which("epmd", path=path)
    if found is None:
        raise StartError("Erlang's port mapper (epmd) is not installed; it comes with Erlang, which RabbitMQ needs.")
    return found


def _missing(ports: BrokerPorts) -> str | None:
    """AMQP is up when the server answers our greeting, which is later than when the port is open."""
    try:
        with socket.create_connection((HOST, ports.amqp), timeout=1.0) as connection:
            connection.settimeout(1.0)
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            if not connection.recv(1):
                return "it does not greet AMQP clients"
    except OSError as error:
        return f"AMQP does not answer ({error})"
    silent = [port for port in (ports.management, ports.metrics) if not accepts(port)]
    return f"its port {silent[0]} does not answer" if silent else None
