"""Queues `scoring.s00…`: attendance, grades and enrolments in; `risk.scored` and `risk.level_changed` out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from zoneinfo import ZoneInfo

from services.scoring.bounds import compared
from services.scoring.facts import Fact, Lesson, LessonFact, Mark, MarkFact, PlaceFact, day_number
from services.scoring.records import KeptFact
from services.scoring.rescoring import Incoming
from shared.errors import FieldError, Reject, decoding
from shared.events import (
    AnyEvent,
    AttendanceRecorded,
    AttendanceRecordedEvent,
    EnrolmentChangedEvent,
    GradeKind,
    GradeRecorded,
    GradeRecordedEvent,
    precedence,
)
from shared.events.places import place_of

MINUTES_A_DAY = 24 * 60
UNIX_EPOCH = date(1970, 1, 1).toordinal()

StudentEvent = AttendanceRecordedEvent | GradeRecordedEvent | EnrolmentChangedEvent
Handler = Callable[[StudentEvent], Awaitable[None]]


def handler(submit: Callable[[Incoming], Awaitable[None]], zone: ZoneInfo) -> Handler:
    """A queue's handler: decode, then wait until the batch that it joins is written and told."""

    async def on_event(event: StudentEvent) -> None:
        with decoding():
            fact = incoming(event, zone)
        await submit(fact)

    return on_event


def incoming(event: AnyEvent, zone: ZoneInfo) -> Incoming:
    """The event as a fact. `zone` decides on which school day a lesson lies.

    Raises:
        Reject: an event that scoring does not read, or one that ingest has not stamped.
    """
    if event.recordedtime is None:
        raise Reject("not stamped by ingest", (FieldError("$.recordedtime", "nothing", "time of receipt"),))
    return Incoming(KeptFact(event.subject, _fact(event, zone), event.recordedtime, event.under), event.authority)


def _fact(event: AnyEvent, zone: ZoneInfo) -> Fact:
    match event:
        case AttendanceRecordedEvent(data=data):
            return _lesson(data, zone)
        case GradeRecordedEvent(data=data):
            return _mark(data)
        case EnrolmentChangedEvent(data=data, time=time):
            # Whom to tell is no matter of a score.
            return PlaceFact(place_of(data, time, zone)._replace(coaches=()))
        case _:
            raise Reject(
                "scoring does not read this type", (FieldError("$.type", event.type, "a fact about a student"),)
            )


def _lesson(data: AttendanceRecorded, zone: ZoneInfo) -> LessonFact:
    day = day_number(data.starts_at.astimezone(zone).date())
    version = Lesson(
        *precedence(data),
        data.state.value,
        data.minutes,
        data.excused_minutes,
        data.unexcused_minutes,
        data.late,
        data.school_unit,
        int(data.starts_at.timestamp()) // 60 - (day - UNIX_EPOCH) * MINUTES_A_DAY,
    )
    return LessonFact(day, data.lesson, version)


def _mark(data: GradeRecorded) -> MarkFact:
    version = Mark(
        *precedence(data),
        data.value if data.state == "recorded" else None,
        data.credits,
        data.required or data.diploma_project,
        compared(data.subject or "") if data.curriculum == "gy25" else "",
        tuple(map(compared, data.replaces)) if data.kind is GradeKind.FINAL else (),
        data.school_unit,
    )
    return MarkFact(data.course, data.kind.value, day_number(data.recorded_on), version)
