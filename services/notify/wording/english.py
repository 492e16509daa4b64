"""English."""

from __future__ import annotations

from services.notify.wording.language import NO_BREAK, Language, Numbers, Words
from shared.events import Level, StaffRole

LEVELS = {Level.UNIVERSAL: "universal", Level.TARGETED: "targeted", Level.INDIVIDUAL: "individual"}


def _total_absence(numbers: Numbers) -> str:
    absent, scheduled = numbers["absent_minutes"], numbers["scheduled_minutes"]
    share = LANGUAGE.number(1000 * int(absent) // int(scheduled) / 10, 1)
    return (
        f"Total absence {share}% over the last {LANGUAGE.number(numbers['school_days'])} school days "
        f"({LANGUAGE.number(absent)} of {LANGUAGE.number(scheduled)}{NO_BREAK}minutes)"
    )


def _unexcused_absence(numbers: Numbers) -> str:
    minutes = numbers["unexcused_minutes"]
    return (
        f"Unexcused absence {_duration(minutes)} over the last {LANGUAGE.number(numbers['calendar_days'])} days "
        f"({LANGUAGE.number(minutes)}{NO_BREAK}minutes)"
    )


def _failed_courses(numbers: Numbers) -> str:
    failed, warnings = numbers["failed"], numbers["open_warnings"]
    parts = []
    if failed or not warnings:
        parts.append(
            f"{LANGUAGE.number(failed)} {'course' if failed == 1 else 'courses'} with F or no basis for a grade"
        )
    if warnings:
        parts.append(f"{LANGUAGE.number(warnings)} open F {'warning' if warnings == 1 else 'warnings'}")
    return " and ".join(parts)


def _duration(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    parts = [f"{hours}{NO_BREAK}h"] if hours else []
    return NO_BREAK.join([*parts, f"{rest}{NO_BREAK}min"] if rest or not hours else parts)


def _points(points: int) -> str:
    return f"{points}{NO_BREAK}{'point' if abs(points) == 1 else 'points'}"


def _subject(before: Level, after: Level, school_unit: str | None) -> str:
    direction = "up" if after.rank > before.rank else "down"
    text = f"{LEVELS[after].capitalize()} level, {direction} from {LEVELS[before]}"
    return f"{text} ({school_unit})" if school_unit else text


def _title(before: Level, after: Level) -> str:
    return f"From {LEVELS[before]} to {LEVELS[after]} level"


def _fresh(counted: str, registered: str | None) -> str:
    if registered is None:
        return f"Counted up to {counted}."
    return f"Counted up to {counted}; attendance is registered up to {registered}."


LANGUAGE = Language(
    code="en",
    decimal=".",
    thousands=",",
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    levels=LEVELS,
    indicators={
        "total_absence": "total absence",
        "unexcused_absence": "unexcused absence",
        "failed_courses": "failed courses",
    },
    describe={
        "total_absence": _total_absence,
        "unexcused_absence": _unexcused_absence,
        "failed_courses": _failed_courses,
    },
    points=_points,
    subject=_subject,
    title=_title,
    rise="A student needs more support than before.",
    fall="Good news: things are going better for a student.",
    fresh=_fresh,
    left="The student was no longer enrolled on that day.",
    instead_of_coach={
        StaffRole.COORDINATOR: "You get this mail as coordinator: the student's coach could not be reached.",
        StaffRole.PRINCIPAL: "You get this mail as principal: neither coach nor coordinator could be reached.",
    },
    words=Words(
        preheader="Open the mail to see who it is about and why.",
        student="Student",
        protected="protected identity",
        nameless="name missing",
        why="Why",
        remains="What remains",
        no_reasons="No indicator gives points any more.",
        more_reasons="More reasons are on the student's page.",
        changed="Since the previous level",
        freshness="Data",
        open_page="Open the student's page",
        footer="The points follow open rules and are a support, not a decision: you judge what is needed. "
        "This mail was sent by Kvar and cannot be replied to.",
    ),
)
