"""What the HTTP interface answers of students, with the meaning of every field. School units: `unit_models`."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from services.reporting.views import Enrolment, StudentView
from shared.events import Level, Reason
from shared.events.places import NO_END, Presence

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
    school_unit: str | None = Field(
        description="where the student is today, was last or will be first; null when unknown or protected",
        examples=["73491856"],
    )
    groups: list[str] = Field(description="at that unit", examples=[["NA24B"]])
    status: Presence | None = Field(
        description="whether that enrolment holds today, is paused, is over, or begins later; "
        "null when every enrolment was retracted"
    )
    level: Level | None = Field(description="level of prevention; null without data", examples=["targeted"])
    score: int | None = Field(description="points, 0…100; null without data", examples=[31])
    reasons: list[ReasonShown] = Field(description="those that give points, the largest first")
    group_reasons: list[GroupReason] = Field(description="what is true of the student's whole groups; without points")
    as_of: date | None = Field(description="newest school day in the student's facts", examples=["2026-11-20"])
    fresh_until: date | None = Field(description="newest school day with a taken register", examples=["2026-11-20"])
    stale: bool = Field(
        description="nothing has been registered of the student for as many school days of the school unit as the "
        "authority's rules name"
    )
    stale_since: date | None = Field(description="the first of those days; null when not stale", examples=[None])
    stale_school_days: int | None = Field(
        description="how many days the rules name; null when not stale", examples=[None]
    )


class EnrolmentShown(Answer):
    """A place at a school unit. It holds from its first to its last day."""

    school_unit: str = Field(examples=["73491856"])
    main: bool = Field(description="false for a course at another school beside the student's own", examples=[True])
    programme: str | None = Field(examples=["NA"])
    study_year: int | None = Field(examples=[2])
    groups: list[str] = Field(examples=[["NA24B"]])
    status: Presence = Field(description="whether it holds today, is paused, is over, or begins later")
    starts_on: date = Field(description="the first day", examples=["2025-08-18"])
    ends_on: date | None = Field(description="the last day; null while not known")


class Student(StudentSummary):
    """Everything that is known of a student here."""

    enrolments: list[EnrolmentShown] = Field(description="the one where the student is first; empty when protected")
    model_version: str | None = Field(description="of the model that scored", examples=["points-1"])
    revision: int | None = Field(description="of the score; rises with each change", examples=[412])


class Students(Answer):
    """A page of students, most at risk first."""

    students: list[StudentSummary]
    next: str | None = Field(
        description="give it as `after` for the next page; null on the last one", examples=[f"7968{PSEUDONYM}"]
    )


def summary(view: StudentView, day: int) -> StudentSummary:
    """A student as shown in a list on a day (its day number)."""
    risk, stay = view.risk, view.stay(day)
    known = risk is not None and view.level is not None
    reasons = risk.reasons if risk else ()
    return StudentSummary(
        pseudonym=view.pseudonym,
        authority=view.authority,
        protected=view.protected,
        school_unit=stay.school_unit if stay else None,
        groups=list(stay.groups) if stay else [],
        status=stay.presence if stay else None,
        level=view.level,
        score=risk.score if risk and known else None,
        reasons=[_reason(item) for item in sorted(reasons, key=lambda r: (-r.points, r.indicator)) if item.points],
        group_reasons=[_group_reason(item) for item in reasons if not item.points],
        as_of=risk.as_of if risk else None,
        fresh_until=risk.fresh_until if risk else None,
        stale=view.stale,
        stale_since=risk.stale_since if risk else None,
        stale_school_days=risk.stale_school_days if risk else None,
    )


def student_answer(view: StudentView, day: int) -> Student:
    """A student with everything that may be shown on a day (its day number)."""
    return Student(
        **dict(summary(view, day)),
        enrolments=[_enrolment(item, presence) for item, presence in view.shown_enrolments(day)],
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


def _enrolment(item: Enrolment, presence: Presence) -> EnrolmentShown:
    place = item.place
    return EnrolmentShown(
        school_unit=place.school_unit,
        main=place.main,
        programme=item.programme,
        study_year=item.study_year,
        groups=list(place.groups),
        status=presence,
        starts_on=date.fromordinal(place.starts_on),
        ends_on=None if place.ends_on == NO_END else date.fromordinal(place.ends_on),
    )
