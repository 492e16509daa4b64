"""What the HTTP interface answers, with the meaning of every field."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from services.reporting.climate import Climate
from services.reporting.store import UnitRecord
from services.reporting.units import freshness
from services.reporting.views import Enrolment, StudentView
from shared.events import EnrolmentStatus, Level, Reason

PSEUDONYM = "p_7kq2m3xw5zv4c6dtn2r5yb7haf"


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class LevelCount(Answer):
    """How many active students are at a level."""

    students: int = Field(description="active students at the level", examples=[31])
    share: float | None = Field(
        description="of the active students with data, 0…1; null when there are none", examples=[0.0742]
    )


class Unit(Answer):
    """A school unit. Levels and freshness are those of active students; paused and ended ones are counted apart."""

    authority: str = Field(description="code of the school authority", examples=["2480"])
    school_unit: str | None = Field(
        description="code of the unit; null gathers students whose unit is unknown or must not be shown (protected identity)",
        examples=["73491856"],
    )
    active: int = Field(description="students with an active enrolment", examples=[420])
    paused: int = Field(description="students whose enrolment is paused, such as for a year abroad", examples=[3])
    ended: int = Field(description="students who have left", examples=[12])
    levels: dict[Level, LevelCount] = Field(description="active students with data by level of prevention")
    without_data: int = Field(description="active students of whom no attendance or grade is known", examples=[2])
    fresh_until: date | None = Field(
        description="newest school day with a taken register among active students", examples=["2026-11-20"]
    )
    weekdays_behind: int | None = Field(
        description="Mondays to Fridays by which `fresh_until` lags behind the newest register of the authority; "
        "null without any register",
        examples=[0],
    )
    stale: bool = Field(description="two weekdays behind or more, or no register at all")
    counted_at: datetime = Field(description="when these numbers were counted", examples=["2026-11-20T14:03:11Z"])


class ClimateWeek(Answer):
    """Means of the newest week reported, 1.0 (worst) to 5.0 (best), from five answers at least."""

    subject: str = Field(description="`unit:CODE` or `group:CODE`", examples=["group:NA24B"])
    period: str = Field(description="ISO week", examples=["2026-W46"])
    answers: int = Field(ge=5, examples=[23])
    safety: float = Field(examples=[4.1])
    inclusion: float = Field(examples=[3.8])
    relations: float = Field(examples=[4.0])


class UnitWithClimate(Unit):
    """A school unit with the climate of itself and of the groups of its active students."""

    climate: list[ClimateWeek]


class Units(Answer):
    """All school units with students."""

    units: list[Unit]
    recount_due: bool = Field(
        description="newer events are stored and wait to be counted, for a second or so", examples=[False]
    )


class ReasonShown(Answer):
    """One indicator's share of a score, with the raw numbers, so that anyone can recompute it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    indicator: str = Field(examples=["total_absence"])
    points: int = Field(examples=[15])
    numbers: dict[str, float | int] = Field(
        description="units stand in the names",
        examples=[{"absent_minutes": 1060, "scheduled_minutes": 6000, "school_days": 20}],
    )
    first_day: date = Field(alias="from", description="first day counted", examples=["2026-10-19"])
    last_day: date = Field(alias="to", description="last day counted", examples=["2026-11-20"])


class StudentSummary(Answer):
    """A student in a list. No names: who it is, only the school can resolve."""

    pseudonym: str = Field(examples=[PSEUDONYM])
    authority: str = Field(examples=["2480"])
    protected: bool = Field(description="protected identity: unit and groups are not shown")
    school_unit: str | None = Field(description="null when unknown or protected", examples=["73491856"])
    groups: list[str] = Field(examples=[["NA24B"]])
    status: EnrolmentStatus | None = Field(description="null when every enrolment was retracted")
    level: Level | None = Field(description="level of prevention; null without data", examples=["targeted"])
    score: int | None = Field(description="points, 0…100; null without data", examples=[31])
    reasons: list[ReasonShown] = Field(description="the largest first")
    as_of: date | None = Field(description="newest school day in the student's facts", examples=["2026-11-20"])
    fresh_until: date | None = Field(description="newest school day with a taken register", examples=["2026-11-20"])


class EnrolmentShown(Answer):
    """A place at a school unit."""

    school_unit: str | None = Field(examples=["73491856"])
    programme: str | None = Field(examples=["NA"])
    study_year: int | None = Field(examples=[2])
    groups: list[str] = Field(examples=[["NA24B"]])
    status: EnrolmentStatus
    starts_on: date | None = Field(examples=["2025-08-18"])
    ends_on: date | None


class Student(StudentSummary):
    """Everything that is known of a student here."""

    enrolments: list[EnrolmentShown] = Field(description="the current one first; empty when protected")
    model_version: str | None = Field(description="of the model that scored", examples=["points-1"])
    revision: int | None = Field(description="of the score; rises with each change", examples=[412])


class Students(Answer):
    """A page of students, most at risk first."""

    students: list[StudentSummary]
    next: str | None = Field(
        description="give it as `after` for the next page; null on the last one", examples=[f"7968{PSEUDONYM}"]
    )


class Problem(Answer):
    """An error, RFC 9457."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no such student"])


def newest_registers(records: list[UnitRecord]) -> dict[str, date]:
    """The newest register of each authority."""
    newest: dict[str, date] = {}
    for record in records:
        day = record.counts.fresh_until
        if day is not None:
            newest[record.key.authority] = max(day, newest.get(record.key.authority, day))
    return newest


def unit_answer(record: UnitRecord, newest: date | None) -> Unit:
    """A unit as shown. `newest`: the newest register of its authority."""
    counts = record.counts
    lag = freshness(counts.fresh_until, newest)
    return Unit(
        authority=record.key.authority,
        school_unit=record.key.school_unit or None,
        active=counts.active,
        paused=counts.paused,
        ended=counts.ended,
        levels={level: LevelCount(students=counts.levels[level], share=counts.share(level)) for level in Level},
        without_data=counts.without_data,
        fresh_until=lag.fresh_until,
        weekdays_behind=lag.weekdays_behind,
        stale=lag.stale,
        counted_at=record.counted_at,
    )


def with_climate(unit: Unit, climate: list[Climate]) -> UnitWithClimate:
    """The unit with climate beside it."""
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
    return UnitWithClimate(**dict(unit), climate=weeks)


def summary(view: StudentView) -> StudentSummary:
    """A student as shown in a list."""
    risk = view.risk
    known = risk is not None and view.level is not None
    return StudentSummary(
        pseudonym=view.pseudonym,
        authority=view.authority,
        protected=view.protected,
        school_unit=view.school_unit,
        groups=list(view.groups),
        status=view.status,
        level=view.level,
        score=risk.score if risk and known else None,
        reasons=[_reason(item) for item in sorted(risk.reasons, key=lambda r: (-r.points, r.indicator))]
        if risk
        else [],
        as_of=risk.as_of if risk else None,
        fresh_until=risk.fresh_until if risk else None,
    )


def student_answer(view: StudentView) -> Student:
    """A student with everything that may be shown."""
    return Student(
        **dict(summary(view)),
        enrolments=[_enrolment(item) for item in view.shown_enrolments],
        model_version=view.risk.model_version if view.risk else None,
        revision=view.risk.revision if view.risk else None,
    )


def _reason(reason: Reason) -> ReasonShown:
    return ReasonShown(
        indicator=reason.indicator,
        points=reason.points,
        numbers=reason.numbers,
        first_day=reason.first_day,
        last_day=reason.last_day,
    )


def _enrolment(item: Enrolment) -> EnrolmentShown:
    return EnrolmentShown(
        school_unit=item.school_unit,
        programme=item.programme,
        study_year=item.study_year,
        groups=list(item.groups),
        status=item.status,
        starts_on=item.starts_on,
        ends_on=item.ends_on,
    )
