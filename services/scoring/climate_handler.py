"""Queue `scoring.climate`: climate reports in; the units they speak of are computed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.scoring.climate import Version, monday
from services.scoring.records import Unit
from services.scoring.signal_documents import KeptReport
from services.scoring.signal_store import SignalStore
from services.scoring.store import ScoringStore
from shared.errors import FieldError, Reject, decoding
from shared.events import AnyEvent, ClimateReportedEvent, precedence

PREFETCH = 20


def handler(store: SignalStore, scoring: ScoringStore) -> Callable[[AnyEvent], Awaitable[None]]:
    """Keeps the report, and has its unit computed again; also for a repetition, since a replica may have died between."""

    async def on_event(event: AnyEvent) -> None:
        with decoding():
            report = kept_report(event)
        await store.keep_report(report)
        unit, code = report.unit, report.subject.removeprefix("group:")
        units = [unit] if unit.code else (await store.units_with(unit.authority, [code])).get(code, [])
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
    version = Version(data.period, *precedence(data), mean, data.answers)
    kind, _, code = event.subject.partition(":")
    unit = Unit(event.authority, code if kind == "unit" else data.school_unit or "")
    return KeptReport(unit, event.subject, version, event.recordedtime)
