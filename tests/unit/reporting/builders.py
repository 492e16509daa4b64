"""Events as reporting gets them, with only what a test is about spelt out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from services.reporting.clock import Clock
from services.reporting.units import Row, Tally, UnitCounts
from services.reporting.views import StudentView, merge
from shared.events import (
    ClimateReported,
    ClimateReportedEvent,
    EnrolmentChanged,
    EnrolmentChangedEvent,
    GroupSignalChanged,
    GroupSignalChangedEvent,
    Level,
    Reason,
    RiskScored,
    RiskScoredEvent,
)

if TYPE_CHECKING:
    from services.reporting.views import StudentEvent

AUTHORITY = "2480"
ZONE = ZoneInfo("Europe/Stockholm")
FRIDAY = date(2026, 11, 20)
"""On which sources recorded what they send."""
MONDAY = date(2026, 11, 23)
"""On which it is looked at."""
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
ENVELOPE: dict[str, Any] = {"source": "/authorities/2480/systems/test", "time": NOW}


def noon(day: date) -> datetime:
    """Noon in UTC."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def clock_at(day: date) -> Clock:
    """A clock that stands at noon of a day."""
    return Clock(ZONE, lambda: noon(day))


def merged(view: StudentView | None, event: StudentEvent) -> StudentView:
    """The view with the event taken in, in the authority's zone."""
    return merge(view, event, ZONE)


def view_of(*events: StudentEvent) -> StudentView:
    """The view of a student of whom these events came, in this order."""
    view = reduce(merged, events, None)
    assert view is not None
    return view


def pseudonym(name: str) -> str:
    """The same pseudonym for the same name."""
    return "p_" + base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()[:26]


def absence(absent: int = 1060, points: int = 15) -> Reason:
    numbers: dict[str, float | int] = {"absent_minutes": absent, "scheduled_minutes": 6000, "school_days": 20}
    return Reason(
        indicator="total_absence", points=points, numbers=numbers, first_day=date(2026, 10, 19), last_day=FRIDAY
    )


def group_absence(group: str | None = "NA24B") -> Reason:
    numbers: dict[str, float | int] = {
        "students": 24,
        "recent_percent": 14.2,
        "earlier_percent": 6.1,
        "unit_percent": 7.0,
    }
    return Reason(
        indicator="group_absence",
        points=0,
        numbers=numbers,
        first_day=date(2026, 10, 5),
        last_day=FRIDAY,
        group=group,
    )


def risk(
    student: str,
    revision: int = 1,
    *,
    score: int = 10,
    level: Level = Level.UNIVERSAL,
    unit: str | None = "A",
    authority: str = AUTHORITY,
    **given: Any,
) -> RiskScoredEvent:
    content: dict[str, Any] = {"groups": [], "reasons": [], "as_of": FRIDAY, "fresh_until": FRIDAY, **given}
    data = RiskScored(
        school_unit=unit, score=score, level=level, revision=revision, model_version="points-1", **content
    )
    subject = pseudonym(student)
    return RiskScoredEvent(id=f"{subject}:{revision}", subject=subject, authority=authority, data=data, **ENVELOPE)


def enrolment(
    student: str,
    revision: int = 1,
    *,
    unit: str = "A",
    status: str = "active",
    authority: str = AUTHORITY,
    time: datetime = NOW,
    **given: Any,
) -> EnrolmentChangedEvent:
    content: dict[str, Any] = {"starts_on": date(2025, 8, 18), "groups": ["NA24B"], "programme": "NA", **given}
    data = EnrolmentChanged(school_unit=unit, status=status, revision=revision, **content)
    subject = pseudonym(student)
    return EnrolmentChangedEvent(
        id=f"e:{subject}:{unit}:{content['starts_on']}:{revision}",
        subject=subject,
        authority=authority,
        data=data,
        **(ENVELOPE | {"time": time}),
    )


def climate(subject: str, period: str = "2026-W46", revision: int = 1, **given: Any) -> ClimateReportedEvent:
    content: dict[str, Any] = {"answers": 23, "safety": 4.1, "inclusion": 3.8, "relations": 4.0, **given}
    data = ClimateReported(period=period, revision=revision, **content)
    return ClimateReportedEvent(
        id=f"c:{subject}:{period}:{revision}", subject=subject, authority=AUTHORITY, data=data, **ENVELOPE
    )


def signal(
    subject: str,
    n: int = 1,
    state: Literal["worse", "usual"] = "worse",
    indicator: str = "absence",
    *,
    unit: str | None = "A",
    **given: Any,
) -> GroupSignalChangedEvent:
    content: dict[str, Any] = {"numbers": group_absence().numbers, "students": 24, **given}
    data = GroupSignalChanged(
        n=n,
        indicator=indicator,
        state=state,
        school_unit=unit,
        first_day=date(2026, 10, 5),
        last_day=FRIDAY,
        model_version="points-1",
        **content,
    )
    return GroupSignalChangedEvent(
        id=f"{subject}:{unit}:{n}", subject=subject, authority=AUTHORITY, data=data, **ENVELOPE
    )


def count(rows: Iterable[Row]) -> UnitCounts:
    tally = Tally()
    for row in rows:
        tally.add(row)
    return tally.counts()
