"""English."""

from __future__ import annotations

from services.notify.wording.language import Language, Words
from shared.events import Level, StaffRole
from shared.wording import ENGLISH, NO_BREAK

LEVELS = ENGLISH.levels


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
    wording=ENGLISH,
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
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
