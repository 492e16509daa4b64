"""What signals keep and read, and its form as documents: the only place that knows the fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from services.scoring.climate import Version
from services.scoring.courses import timeline
from services.scoring.documents import marks, places
from services.scoring.documents import outbox_fields as entry_fields
from services.scoring.group_sums import Daily, Member, Sums
from services.scoring.records import STATE_FORMAT, Noted, OutboxEntry, Unit
from services.scoring.signal_messages import Announced, Said, subject_key
from services.scoring.student import SIGNAL_DAYS
from shared.events import GroupIndicator
from shared.events.places import Presence, whereabouts


@dataclass(slots=True)
class UnitRecord:
    """A unit's document, held by the one that computes it."""

    unit: Unit
    rev: int
    groups: tuple[str, ...] = ()
    forgotten: int = 0
    """See `signal_messages.announce`."""
    said: dict[str, Said] = field(default_factory=dict)
    outbox: list[tuple[str, OutboxEntry]] = field(default_factory=list)
    """Subject and message of what is not yet known to be published."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A student's document as signals read it. `member` is None without an active place, `is_readable` False when another
    version of Kvar has written the state. `signals`: what is noted, as JSON.
    """

    id: str
    is_readable: bool
    signals: Sequence[Mapping[str, Any]] = ()
    stale_since: int | None = None
    member: Member | None = None

    def bears(self, noted: Noted) -> bool:
        """Whether this is what the student's record holds already."""
        signals = [signal.model_dump(mode="json", by_alias=True) for signal in noted.signals]
        return self.stale_since == noted.stale_since and list(self.signals) == signals


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A version of a climate report of a group or unit, and when ingest received it. `unit`: without a code when the report
    names none.
    """

    unit: Unit
    subject: str
    version: Version
    recorded_time: datetime


def unit_record(unit: Unit, document: Mapping[str, Any]) -> UnitRecord:
    """A unit from its document, which may hold next to nothing yet."""
    return UnitRecord(
        unit,
        document["rev"],
        tuple(document.get("groups", ())),
        document.get("forgotten", 0),
        {one["subject"]: _said(one) for one in document.get("said", ())},
        outbox_entries(document),
    )


def _said(fields: Mapping[str, Any]) -> Said:
    worse = {GroupIndicator(name): Announced(*announced) for name, *announced in fields["worse"]}
    return Said(fields["n"], worse)


def said_fields(record: UnitRecord) -> dict[str, Any]:
    """What has been said of a unit's groups; `worse` counts the signals for the gauge."""
    said = record.said
    counts = {name.value: sum(name in one.worse for one in said.values()) for name in GroupIndicator}
    return {
        "said": [
            {
                "subject": subject,
                "n": one.n,
                "worse": [[name.value, dict(found.numbers), *found[1:]] for name, found in one.worse.items()],
            }
            for subject, one in said.items()
        ],
        "forgotten": record.forgotten,
        "worse": counts,
    }


def outbox_fields(entries: Sequence[tuple[str, OutboxEntry]]) -> list[dict[str, Any]]:
    """Entries with their subjects, as they stand in a unit's `outbox`."""
    fields = entry_fields([entry for _, entry in entries])
    return [{"subject": subject, **each} for (subject, _), each in zip(entries, fields, strict=True)]


def outbox_entries(document: Mapping[str, Any]) -> list[tuple[str, OutboxEntry]]:
    """The inverse of `outbox_fields`."""
    return [
        (one["subject"], OutboxEntry(one["id"], one["since"], one["key"], one["body"]))
        for one in document.get("outbox", ())
    ]


def report_document(report: KeptReport) -> dict[str, Any]:
    """`_id` is made from the content, so that a repetition is a duplicate key."""
    key, version = subject_key(report.unit, report.subject), report.version
    return {
        "_id": f"{key}|{version.period}|{version.revision}|{version.digest}",
        "key": key,
        "recordedtime": report.recorded_time,
        **version._asdict(),
    }


def climate_version(document: Mapping[str, Any]) -> tuple[str, Version]:
    """Key and version."""
    return document["key"], Version(*(document[name] for name in Version._fields))


def seen(document: Mapping[str, Any], today: int) -> Seen:
    """A student's document on a day (a day number); of the state only what signals need."""
    known = orjson.loads(document["state"])
    if known["basis"][1] != STATE_FORMAT:
        return Seen(document["_id"], is_readable=False)
    member = _member(document["_id"], known, today)
    return Seen(document["_id"], True, known["signals"], known["stale_since"], member)


def _member(student: str, known: Mapping[str, Any], today: int) -> Member | None:
    current = whereabouts(places(known), today)
    if current is None or current.presence is not Presence.ACTIVE:
        return None
    place = current.place
    was_warned = any(kind == "warning" for _, kind, _ in known["marks"])
    courses = timeline(marks(known)) if was_warned else []
    return Member(student, place.groups, place.starts_on, known["fresh_until"], registers(known["days"]), courses)


def registers(days: list[list[int]]) -> Daily:
    """The registers of a student's last school days; how many more the state happens to hold makes no difference."""
    return {
        day: Sums(scheduled, excused + unexcused, unexcused, late, 1)
        for day, scheduled, excused, unexcused, late, _ in sorted(days)[-SIGNAL_DAYS:]
        if scheduled
    }
