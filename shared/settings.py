"""All settings of all services, read from the environment with the prefix `KVAR_`.

One environment may be given to every service; a service uses what it needs. An unknown `KVAR_` variable is refused, so
that a misspelt one cannot be silently without effect.
"""

from __future__ import annotations

import os
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from shared.events.door import SpaceName

PREFIX = "KVAR_"

AmqpUrl = Annotated[str, StringConstraints(pattern=r"^amqps?://")]
MongoUrl = Annotated[str, StringConstraints(pattern=r"^mongodb(\+srv)?://")]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/]+")]
SmtpUrl = Annotated[str, StringConstraints(pattern=r"^smtps?://[^/]+")]


class SettingsError(Exception):
    """The environment is wrong; the message names each variable and what it should be."""


class Settings(BaseSettings):
    """What can be set, each with its meaning and default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    amqp_url: AmqpUrl = Field(default="amqp://guest:guest@127.0.0.1:5672/", description="RabbitMQ")
    mongo_url: MongoUrl = Field(default="mongodb://127.0.0.1:27017/", description="MongoDB")
    mongo_database: str = Field(default="kvar", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="name of the database")
    http_host: str = Field(default="127.0.0.1", description="address this service's HTTP listens on")
    http_port: int = Field(default=8080, ge=1, le=65535, description="port this service's HTTP listens on")
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    shards: int = Field(
        default=8, ge=1, le=100, description="queues that students are spread over; changing it is safe at any time"
    )
    time_zone: str = Field(default="Europe/Stockholm", description="IANA name; a lesson's school day is its date there")
    school_years_kept: int = Field(
        default=2, ge=1, le=10, description="school years for which lessons are kept, the current one included"
    )
    signal_minutes: float = Field(
        default=60, gt=0, le=1440, description="how often the signals of a school unit's groups are computed at most"
    )
    batch_size: int = Field(default=500, ge=1, le=5000, description="messages scored together at most")
    batch_wait_ms: int = Field(
        default=20, ge=0, le=1000, description="how long a batch waits for company, milliseconds"
    )

    parking_budget: int = Field(
        default=100,
        ge=0,
        description="messages of one authority that a process parks in a row before it holds the further ones; 0: no limit",
    )
    outage_patience_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=600,
        description="how long the database is away before messages go back to their queues",
    )

    publishers: dict[str, SecretStr] = Field(
        default_factory=dict, description="authority code -> its token at the HTTP door, as JSON"
    )
    spaces: dict[str, dict[str, SpaceName]] = Field(
        default_factory=dict,
        description="authority code -> system -> space that its references live in, as JSON; a system is a space of its own else",
    )
    space_namers: dict[str, list[SpaceName]] = Field(
        default_factory=dict, description="authority code -> systems that may name another space, as JSON"
    )
    pseudonym_key: SecretStr = Field(
        default=SecretStr(""),
        description="secret of the keyed hashes that references are kept as, 32 characters at least; with another one nobody is "
        "known any more",
    )
    service_token: SecretStr = Field(
        default=SecretStr(""), description="secret between services, 16 characters at least"
    )
    viewer_password: SecretStr = Field(
        default=SecretStr(""), description="password of the user `kvar` for reporting's views, 8 characters at least"
    )

    ingest_url: HttpUrl = Field(default="http://127.0.0.1:8081", description="where notify resolves names")
    public_url: HttpUrl = Field(
        default="http://127.0.0.1:8084", description="reporting's address as a reader of a mail sees it"
    )
    smtp_url: SmtpUrl = Field(
        default="smtp://127.0.0.1:1025", description="smtp[s]://[user:password@]host:port, ?starttls=true"
    )
    mail_from: str = Field(default="kvar@localhost", pattern=r"^[^@\s]+@[^@\s]+$")

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("an IANA time zone such as Europe/Stockholm") from error
        return value

    @field_validator("publishers")
    @classmethod
    def _tokens_are_long(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if short := [code for code, token in value.items() if len(token.get_secret_value()) < 16]:
            raise ValueError(f"tokens of 16 characters at least (authority {', '.join(short)})")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The authority's time zone."""
        return ZoneInfo(self.time_zone)

    def secret(self, name: str, min_length: int) -> str:
        """A secret that the calling service cannot do without.

        Raises:
            SettingsError: it is missing or too short.
        """
        value: str = getattr(self, name).get_secret_value()
        if len(value) < min_length:
            raise SettingsError(f"{PREFIX}{name.upper()}: a secret of {min_length} characters at least is needed here")
        return value


def load_settings() -> Settings:
    """Reads the environment.

    Raises:
        SettingsError: an unknown variable, or a value that cannot be used.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    problems = [
        f"{name}: unknown setting" for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known
    ]
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [
            f"{PREFIX}{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError("; ".join(problems)) from error
    except SourceError as error:
        raise SettingsError("; ".join([*problems, str(error)])) from error
    if problems:
        raise SettingsError("; ".join(problems))
    return settings
