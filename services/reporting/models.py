"""What the HTTP interface answers of students, with the meaning of every field. School units: `unit_models`."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from services.reporting.views import Enrolment, StudentView
from shared.events import EnrolmentStatus, Level, Reason

PSEUDONYM = "p_7kq2m3xw5zv4c6dtn2r5yb7haf"


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


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


class GroupReason(Answer):
    """What is true of the student's whole group. It gives no points."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    indicator: str = Field(examples=["group_absence"])
    group: str | None = Field(description="null when it must not be shown", examples=["NA24B"])
    numbers: dict[str, float | int] = Field(
        description="units stand in the names", examples=[{"recent_percent": 14.2, "earlier_percent": 6.1}]
    )
    first_day: date = Field(alias="from", description="first day counted", examples=["2026-10-05"])
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
    reasons: list[ReasonShown] = Field(description="those that give points, the largest first")
    group_reasons: list[GroupReason] = Field(description="what is true of the student's whole groups; without points")
    as_of: date | None = Field(description="newest school day in the student's facts", examples=["2026-11-20"])
    fresh_until: date | None = Field(description="newest school day with a taken register", examples=["2026-11-20"])
    stale: bool = Field(
        description="nothing has been registered of the student for ten school days on which the group had lessons"
    )
    stale_since: date | None = Field(description="the first of those days; null when not stale", examples=[None])


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


def summary(view: StudentView) -> StudentSummary:
    """A student as shown in a list."""
    risk = view.risk
    known = risk is not None and view.level is not None
    reasons = risk.reasons if risk else ()
    return StudentSummary(
        pseudonym=view.pseudonym,
        authority=view.authority,
        protected=view.protected,
        school_unit=view.school_unit,
        groups=list(view.groups),
        status=view.status,
        level=view.level,
        score=risk.score if risk and known else None,
        reasons=[_reason(item) for item in sorted(reasons, key=lambda r: (-r.points, r.indicator)) if item.points],
        group_reasons=[_group_reason(item) for item in reasons if not item.points],
        as_of=risk.as_of if risk else None,
        fresh_until=risk.fresh_until if risk else None,
        stale=view.stale,
        stale_since=risk.stale_since if risk else None,
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


def _group_reason(reason: Reason) -> GroupReason:
    return GroupReason(
        indicator=reason.indicator,
        group=reason.group,
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
