"""The whole of Kvar on this machine: what is started, in which order, with which environment."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from deploy.local import processes
from deploy.local.broker import COUNTS_SECONDS, amqp_url, broker_programs
from deploy.local.database import database_program, mongo_url
from deploy.local.layout import ENVIRONMENT_FILE, SERVICES, Ports, Secrets
from deploy.local.ports import HOST, require_free
from deploy.local.processes import Child, Program
from deploy.local.signals import uninterrupted
from deploy.local.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SERVERS = ("epmd", "rabbitmq", "database", "mailsink")
CHECKOUT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Stack:
    """A run of everything.

    Attributes:
        folder: Where its files, logs and records are; the caller holds its lock.
        report: Called with a sentence whenever something happens that a person wants to know.
        services: What runs on the servers; the four services unless a test says otherwise.
        throw_away: The data will not be used again, so that servers may be killed instead of asked to end.
        counts_seconds: How old the broker's counts of messages may be.
    """

    folder: Path
    ports: Ports
    secrets: Secrets
    report: Callable[[str], None]
    services: Sequence[Program] = ()
    throw_away: bool = False
    counts_seconds: float = COUNTS_SECONDS

    @contextlib.contextmanager
    def running(self) -> Iterator[Supervisor]:
        """Start everything, keep it running, and end it all however the block is left.

        Raises:
            PortInUseError: before anything was started.
            StartError: something did not become ready.
        """
        require_free(self.ports.named(), advice="Stop it, or choose other ports: add PORT=18000 to the make command.")
        write_environment(self.folder / ENVIRONMENT_FILE, self.ports, self.secrets)
        children: list[Child] = []
        try:
            self._start(self._servers(), children)
            self._start(self.services or service_programs(self.ports, self.secrets), children)
            with Supervisor(children, self.folder, self.report) as supervisor:
                yield supervisor
        finally:
            with uninterrupted():
                self._stop(children)

    def _servers(self) -> list[Program]:
        return [
            *broker_programs(self.folder / "broker", self.ports.broker, counts_seconds=self.counts_seconds),
            database_program(self.folder / "database", self.ports.database, is_durable=not self.throw_away),
            mail_sink_program(self.folder / "mail", self.ports),
        ]

    def _start(self, programs: Sequence[Program], children: list[Child]) -> None:
        started = []
        for program in programs:
            started.append(processes.start(program, self.folder))
            children.append(started[-1])
        for child in started:
            child.wait_ready()
            self.report(f"{child.program.name} is ready")

    def _stop(self, children: Sequence[Child]) -> None:
        """Services first and together: each finishes what it has in hand, for which it needs the servers."""
        services = [child for child in children if child.program.name not in SERVERS]
        servers = [child for child in reversed(children) if child.program.name in SERVERS]
        with ThreadPoolExecutor(max_workers=max(len(services), 1)) as pool:
            list(pool.map(Child.stop, services))
        for server in servers:
            server.stop(at_once=self.throw_away)


def service_programs(ports: Ports, secrets: Secrets) -> list[Program]:
    """The four services, as they would run anywhere: nothing but their environment tells them where they are."""
    common = service_environment(ports, secrets)
    return [
        Program(
            name,
            [sys.executable, "-m", f"services.{name}"],
            {**common, "KVAR_HTTP_PORT": str(ports.service(name))},
            readiness(ports.url(ports.service(name))),
            folder=CHECKOUT,
        )
        for name in SERVICES
    ]


def service_environment(ports: Ports, secrets: Secrets) -> dict[str, str]:
    """One environment for all services; only the port differs. `KVAR_` settings of the caller are not passed on."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KVAR_")}
    inherited["NO_PROXY"] = inherited["no_proxy"] = not_proxied(os.environ)
    return inherited | {
        "KVAR_AMQP_URL": amqp_url(ports.broker),
        "KVAR_MONGO_URL": mongo_url(ports.database),
        "KVAR_HTTP_HOST": HOST,
        "KVAR_SIGNAL_MINUTES": "0.2",  # who watches one machine does not wait an hour
        "KVAR_PUBLISHERS": json.dumps(secrets.publishers),
        "KVAR_PSEUDONYM_KEY": secrets.pseudonym_key,
        "KVAR_SERVICE_TOKEN": secrets.service_token,
        "KVAR_VIEWER_PASSWORD": secrets.viewer_password,
        "KVAR_INGEST_URL": ports.url(ports.service("ingest")),
        "KVAR_PUBLIC_URL": ports.url(ports.service("reporting")),
        "KVAR_SMTP_URL": f"smtp://{HOST}:{ports.smtp}",
    }


def write_environment(file: Path, ports: Ports, secrets: Secrets) -> None:
    """Puts the services' settings where a shell can take them up, readable by the owner only: `. FILE`."""
    settings = {name: value for name, value in service_environment(ports, secrets).items() if name.startswith("KVAR_")}
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))


def not_proxied(environment: Mapping[str, str]) -> str:
    """What a proxy must not be used for: what the environment says already, and this machine."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY")
    return ",".join(filter(None, [given, HOST, "localhost"]))


def mail_sink_program(folder: Path, ports: Ports) -> Program:
    """The mail sink with its mails in `folder`."""
    options = {"folder": folder, "host": HOST, "smtp-port": ports.smtp, "http-port": ports.mail_pages}
    flags = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-m", "deploy.local.mailsink", *flags]
    return Program("mailsink", command, os.environ, readiness(ports.url(ports.mail_pages)), folder=CHECKOUT)


def readiness(url: str) -> Callable[[], str | None]:
    """Asks an HTTP program whether it is ready; what it says is missing becomes the message."""

    def missing() -> str | None:
        try:
            answer = httpx.get(f"{url}/health/ready", timeout=2.0, trust_env=False)
        except httpx.TransportError:
            return f"{url} does not answer"
        return None if answer.is_success else f"it says: {answer.text[:500]}"

    return missing
