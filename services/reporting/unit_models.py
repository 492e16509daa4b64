"""What the HTTP interface answers of school units, with the meaning of every field."""

from datetime import date, datetime
from typing import Literal

from pydantic import ConfigDict, Field

from services.reporting.climate import Climate
from services.reporting.models import Answer
from services.reporting.signals import Signal
from services.reporting.store import UnitRecord
from services.reporting.units import freshness
from shared.events import GroupIndicator, Level


class LevelCount(Answer):
    """How many active students are at a level."""

    students: int = Field(description="active students at the level", examples=[31])
    share: float | None = Field(
        description="of the active students with data, 0…1; null when there are none", examples=[0.0742]
    )


class Unit(Answer):
    """A school unit, as of today. Levels and freshness are those of active students; all others are counted apart."""

    authority: str = Field(description="code of the school authority", examples=["2480"])
    school_unit: str | None = Field(
        description="code of the unit; null gathers students whose unit is unknown or must not be shown (protected identity)",
        examples=["73491856"],
    )
    active: int = Field(description="students whose enrolment holds today", examples=[420])
    paused: int = Field(description="students whose enrolment is paused, such as for a year abroad", examples=[3])
    ended: int = Field(description="students who have left", examples=[12])
    upcoming: int = Field(description="students whose enrolment begins on a later day", examples=[0])
    levels: dict[Level, LevelCount] = Field(description="active students with data by level of prevention")
    without_data: int = Field(description="active students of whom no attendance or grade is known", examples=[2])
    not_registered: int = Field(
        description="active students of whom nothing has been registered for as many school days of the school unit as the "
        "authority's rules name",
        examples=[1],
    )
    worse_signals: int = Field(
        description="how many indicators of the unit or its groups have worsened for all together", examples=[1]
    )
    fresh_until: date | None = Field(
        description="newest school day with a taken register among active students; of those who only take a course here, "
        "where there are no others",
        examples=["2026-11-20"],
    )
    weekdays_behind: int | None = Field(
        description="Mondays to Fridays by which `fresh_until` lags behind the newest register of the authority; "
        "null without any register",
        examples=[0],
    )
    stale: bool = Field(description="two weekdays behind or more, or no register at all; never without active students")
    counted_at: datetime = Field(description="when these numbers were counted", examples=["2026-11-20T14:03:11Z"])


class ClimateWeek(Answer):
    """Means of the newest week reported, 1.0 (worst) to 5.0 (best), from five answers at least."""

    subject: str = Field(description="`unit:CODE` or `group:CODE`", examples=["group:NA24B"])
    period: str = Field(description="ISO week", examples=["2026-W46"])
    answers: int = Field(ge=5, examples=[23])
    safety: float = Field(examples=[4.1])
    inclusion: float = Field(examples=[3.8])
    relations: float = Field(examples=[4.0])


class SignalShown(Answer):
    """A group or unit that worsens together in one indicator, or that did so once and does no longer.

    It calls for general work (safety, inclusion, relations), not for an alert for each student.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    subject: str = Field(description="`unit:CODE` or `group:CODE`", examples=["group:NA24B"])
    indicator: GroupIndicator
    state: Literal["worse", "usual"] = Field(
        description="`usual`: no longer worse than its past and the rest of the unit"
    )
    students: int = Field(ge=5, description="students counted, never fewer than five", examples=[24])
    numbers: dict[str, float | int] = Field(
        description="the group's own now and before, and the rest of the unit's now; units stand in the names",
        examples=[{"recent_percent": 14.2, "earlier_percent": 6.1, "unit_percent": 7.0}],
    )
    first_day: date = Field(alias="from", description="first day counted", examples=["2026-10-05"])
    last_day: date = Field(alias="to", description="last day counted", examples=["2026-11-20"])


class UnitDetails(Unit):
    """A school unit with its climate and that of the groups of its active students, and with the signals of both."""

    climate: list[ClimateWeek]
    signals: list[SignalShown] = Field(description="worse ones first")


class Units(Answer):
    """All school units with students."""

    units: list[Unit]
    recount_due: bool = Field(
        description="newer events are stored and wait to be counted, for a second or so", examples=[False]
    )


def newest_registers(records: list[UnitRecord], today: date) -> dict[str, date]:
    """The newest register of each authority, today at most: one for tomorrow makes nobody late."""
    newest: dict[str, date] = {}
    for record in records:
        day = record.counts.fresh_until
        if day is not None:
            newest[record.key.authority] = max(min(day, today), newest.get(record.key.authority, date.min))
    return newest


def unit_answer(record: UnitRecord, newest: date | None, worse_signals: int) -> Unit:
    """A unit as shown. `newest`: the newest register of its authority. `worse_signals`: of the unit and its groups."""
    counts = record.counts
    lag = freshness(counts.fresh_until, newest)
    return Unit(
        authority=record.key.authority,
        school_unit=record.key.school_unit or None,
        active=counts.active,
        paused=counts.paused,
        ended=counts.ended,
        upcoming=counts.upcoming,
        levels={level: LevelCount(students=counts.levels[level], share=counts.share(level)) for level in Level},
        without_data=counts.without_data,
        not_registered=counts.not_registered,
        worse_signals=worse_signals,
        fresh_until=lag.fresh_until,
        weekdays_behind=lag.weekdays_behind,
        stale=lag.stale and counts.active > 0,
        counted_at=record.counted_at,
    )


def unit_details(record: UnitRecord, newest: date | None, climate: list[Climate], signals: list[Signal]) -> UnitDetails:
    """The unit with climate and signals beside it; see `unit_answer`."""
    unit = unit_answer(record, newest, sum(signal.state == "worse" for signal in signals))
    weeks = [
        ClimateWeek(
            subject=item.subject,
            period=item.period,
            answers=item.answers,
            safety=item.safety,
            inclusion=item.inclusion,
            relations=item.relations,
        )
        for item in climate
    ]
    return UnitDetails(**dict(unit), climate=weeks, signals=[_signal(item) for item in signals])


def _signal(item: Signal) -> SignalShown:
    return SignalShown(
        subject=item.subject,
        indicator=item.indicator,
        state=item.state,
        students=item.students,
        numbers=item.numbers,
        first_day=item.first_day,
        last_day=item.last_day,
    )
