"""CloudEvents as a school information system sends them, and the shape in which all inputs of the demo come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date, datetime

Event = dict[str, Any]
"""One CloudEvent in structured JSON mode, as plain data."""


@dataclass(frozen=True, slots=True)
class DayOfEvents:
    """What a source publishes on one day, in publishing order."""

    day: date
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Source:
    """A synthetic or converted source system of one authority; its name stands in every event."""

    authority: str
    system: str

    @property
    def uri(self) -> str:
        """The CloudEvents `source`."""
        return f"/authorities/{self.authority}/systems/{self.system}"

    def event(self, kind: str, subject: str, recorded: datetime, key: str, data: dict[str, Any]) -> Event:
        """One event about `subject`, recorded by the source at `recorded`.

        `key` names the fact within its kind and subject. The revision is the time of recording in milliseconds. The id
        is a digest of what the event is about and its revision: the same on every run, so that playing twice only
        repeats, and opaque, so that it carries no identity of a student behind the door.
        """
        revision = int(recorded.timestamp()) * 1000 + recorded.microsecond // 1000
        digest = hashlib.sha256(f"{self.uri} {kind} {subject} {key} {revision}".encode()).hexdigest()
        return {
            "specversion": "1.0",
            "id": digest[:32],
            "source": self.uri,
            "type": f"kvar.{kind}.v1",
            "subject": subject,
            "time": recorded.isoformat(),
            "authority": self.authority,
            "datacontenttype": "application/json",
            "dataschema": f"urn:kvar:kvar.{kind}.v1",
            "data": {**data, "revision": revision},
        }
