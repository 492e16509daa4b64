"""Queue `scoring.climate`: climate reports in; the units they speak of are computed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.scoring.climate import Version, monday
from services.scoring.messages import DIGEST_LENGTH
from services.scoring.records import Unit
from services.scoring.signal_documents import KeptReport
from services.scoring.signal_store import SignalStore
from services.scoring.store import ScoringStore
from shared.errors import FieldError, Reject
from shared.events import AnyEvent, ClimateReportedEvent, content_digest

PREFETCH = 20


def handler(store: SignalStore, scoring: ScoringStore) -> Callable[[AnyEvent], Awaitable[None]]:
    """Keeps the report, and has its unit computed again; also for a repetition, since a replica may have died between."""

    async def on_event(event: AnyEvent) -> None:
        report = kept_report(event)
        await store.keep_report(report)
        kind, _, code = report.subject.partition(":")
        is_unit = kind == "unit"
        units = [Unit(report.authority, code)] if is_unit else await store.units_with(report.authority, code)
        await scoring.ask(units)

    return on_event


def kept_report(event: AnyEvent) -> KeptReport:
    """The event as a version of a report.

    Raises:
        Reject: another type, an event that ingest has not stamped, or a week that its year does not have.
    """
    if not isinstance(event, ClimateReportedEvent):
        raise Reject("no climate report", (FieldError("$.type", event.type, "kvar.climate.reported.v1"),))
    if event.recordedtime is None:
        raise Reject("not stamped by ingest", (FieldError("$.recordedtime", "nothing", "time of receipt"),))
    data = event.data
    try:
        monday(data.period)
    except ValueError as error:
        raise Reject("no such week", (FieldError("$.data.period", data.period, "a week of its year"),)) from error
    mean = (data.safety + data.inclusion + data.relations) / 3 if data.state == "recorded" else None
    digest = content_digest(data.model_dump(mode="json", exclude_none=True))[:DIGEST_LENGTH]
    version = Version(data.period, data.revision, digest, mean, data.answers)
    return KeptReport(event.authority, event.subject, version, event.recordedtime)
