"""Mails as the local sink keeps them: one file each, as received, with the time of arrival added on top."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

ARRIVED_HEADER = "X-Kvar-Mail-Arrived"
"""When the sink had taken the mail; RFC 3339."""

EVENT_RECEIVED_HEADER = "X-Kvar-Event-Received"
"""When ingest had received the event that an alert is about; RFC 3339; notify sets it."""

WITHDRAWS_HEADER = "X-Kvar-Withdraws"
"""Which earlier alert a mail takes back; notify sets it."""

SUFFIX = ".eml"
_ALERT = re.compile(r"<(p_[a-z2-7]{26})\.(\d+)@")
"""What notify makes a mail's `Message-ID` of."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, decoded for reading.

    Attributes:
        name: Its file's name without suffix; names sort by arrival.
        event_received: Only in alerts.
        withdraws: Id of the earlier alert that it takes back; only in withdrawals.
        message_id: As the header has it.
    """

    name: str
    sender: str
    recipient: str
    subject: str
    text: str
    arrived: datetime
    event_received: datetime | None
    withdraws: str | None = None
    message_id: str = ""

    @property
    def alert(self) -> tuple[str, int] | None:
        """Student and number of the alert; nothing for mails that are none."""
        found = _ALERT.match(self.message_id) if self.event_received is not None else None
        return (found[1], int(found[2])) if found else None

    @property
    def latency_seconds(self) -> float | None:
        """From the receipt of the event to the arrival of the mail; None for mails that are no alerts."""
        return None if self.event_received is None else (self.arrived - self.event_received).total_seconds()


def stamped(content: bytes, arrived: datetime) -> bytes:
    """A received mail with the time of its arrival added as the first header."""
    return f"{ARRIVED_HEADER}: {arrived.astimezone(UTC).isoformat(timespec='milliseconds')}\r\n".encode() + content


def file_names(folder: Path) -> list[str]:
    """Names of all mails, oldest first."""
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))


def read(folder: Path, name: str) -> Mail:
    """One mail.

    Raises:
        FileNotFoundError: There is none of this name.
        ValueError: The file is no mail of the sink (the time of arrival is missing or wrong).
    """
    message = email.message_from_bytes((folder / f"{name}{SUFFIX}").read_bytes(), policy=email.policy.default)
    if (arrived := _time(message, ARRIVED_HEADER)) is None:
        raise ValueError(f"{name}{SUFFIX} has no {ARRIVED_HEADER}")
    return Mail(
        name=name,
        sender=str(message.get("From", "")),
        recipient=str(message.get("To", "")),
        subject=str(message.get("Subject", "")),
        text=_text(message),
        arrived=arrived,
        event_received=_time(message, EVENT_RECEIVED_HEADER),
        withdraws=message.get(WITHDRAWS_HEADER),
        message_id=str(message.get("Message-ID", "")),
    )


def read_all(folder: Path) -> list[Mail]:
    """All mails, oldest first."""
    return [read(folder, name) for name in file_names(folder)]


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    return "" if body is None else str(body.get_content()).replace("\r\n", "\n").strip()


def _time(message: EmailMessage, header: str) -> datetime | None:
    value = message.get(header)
    return None if value is None else datetime.fromisoformat(str(value).strip())
