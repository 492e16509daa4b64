"""Where everything of one run listens and keeps its files, and which secrets it uses."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.broker import BrokerPorts
from deploy.local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SERVICES = ("ingest", "scoring", "notify", "reporting")
VIEWER = "kvar"
ENVIRONMENT_FILE = "kvar.env"
"""In a run's folder: its settings, for a shell in which `kvar` is to reach the run."""
DEFAULT_BASE_PORT = 8080


PORTS_OF_A_RUN = 12


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of a run, `PORTS_OF_A_RUN`, follow from one."""

    base: int

    def service(self, name: str) -> int:
        """Where a service answers HTTP: ingest first."""
        return self.base + 1 + SERVICES.index(name)

    @property
    def mail_pages(self) -> int:
        """Where mails can be read."""
        return self.base + 5

    @property
    def smtp(self) -> int:
        """Where mails are sent to."""
        return self.base + 6

    @property
    def database(self) -> int:
        """MongoDB's protocol."""
        return self.base + 7

    @property
    def broker(self) -> BrokerPorts:
        """The five of the broker."""
        return BrokerPorts(*(self.base + number for number in range(8, 13)))

    def named(self) -> list[tuple[str, int]]:
        """Every port with what listens there."""
        broker = self.broker
        return [
            *((name, self.service(name)) for name in SERVICES),
            ("mails", self.mail_pages),
            ("SMTP", self.smtp),
            ("the database", self.database),
            ("RabbitMQ", broker.amqp),
            ("RabbitMQ's management", broker.management),
            ("RabbitMQ's metrics", broker.metrics),
            ("RabbitMQ's distribution", broker.distribution),
            ("Erlang's port mapper", broker.mapper),
        ]

    def url(self, port: int) -> str:
        """HTTP address of a port."""
        return f"http://{HOST}:{port}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made for one folder of one machine; they protect nothing elsewhere."""

    publishers: dict[str, str]
    pseudonym_key: str
    service_token: str
    viewer_password: str


def load_or_make_secrets(file: Path, authorities: Iterable[str]) -> Secrets:
    """The secrets of a run, made at the first one and readable by the owner only.

    A publisher's token is added for every authority that has none yet.

    Raises:
        ValueError: The file was changed into something else.
    """
    known = json.loads(file.read_text()) if file.exists() else {}
    publishers = {authority: secrets.token_urlsafe(24) for authority in authorities} | known.get("publishers", {})
    made = Secrets(
        publishers=publishers,
        pseudonym_key=known.get("pseudonym_key") or secrets.token_urlsafe(48),
        service_token=known.get("service_token") or secrets.token_urlsafe(24),
        viewer_password=known.get("viewer_password") or secrets.token_urlsafe(9),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({name: getattr(made, name) for name in Secrets.__slots__}, indent=2))
    return made
