"""English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.notify.wording.language import Language, Words
from shared.events import Level, StaffRole
from shared.wording import ENGLISH, NO_BREAK

LEVELS = ENGLISH.levels


def _points(points: int) -> str:
    return f"{points}{NO_BREAK}{'point' if abs(points) == 1 else 'points'}"


def _subject(before: Level, after: Level) -> str:
    direction = "up" if after.rank > before.rank else "down"
    return f"{LEVELS[after].capitalize()} level, {direction} from {LEVELS[before]}"


def _title(before: Level, after: Level) -> str:
    return f"From {LEVELS[before]} to {LEVELS[after]} level"


def _detour_title(between: Level, now: Level) -> str:
    return f"The level was {LEVELS[between]} for a time and is now {LEVELS[now]}"


def _detour(risen: bool, level: Level, since: str | None) -> str:
    if since is None:
        return f"The level was {LEVELS[level]} for a time; nobody was told of it."
    return f"On {since} the level {'rose' if risen else 'fell'} to {LEVELS[level]}; there was nobody who could be told then."


def _fresh(counted: str, registered: str | None) -> str:
    if registered is None:
        return f"Counted up to {counted}."
    return f"Counted up to {counted}; attendance is registered up to {registered}."


def _withdrawn_subject(levels: Sequence[Level]) -> str:
    if len(levels) == 1:
        return f"The message about {LEVELS[levels[0]]} level no longer applies"
    return "Earlier messages no longer apply"


def _withdrawn(mails: Sequence[tuple[str, Level]]) -> str:
    *others, last = [f"{day} ({LEVELS[level]} level)" for day, level in mails]
    if not others:
        return f"The message of {last} no longer applies."
    return f"The messages of {', '.join(others)} and {last} no longer apply."


def _level_now(level: Level) -> str:
    return f"The level is now {LEVELS[level]}."


def _corrected(days: Mapping[str, str]) -> str:
    kinds = {
        "attendance": "attendance on",
        "mark": "a grade or warning of",
        "place": "the enrolment from",
        "rules": "the authority's rules of",
    }
    facts = "; ".join(f"{kinds[kind]} {text}" for kind, text in days.items())
    return "The reason: facts have been corrected" + (f" ({facts})." if facts else ".")


def _day_range(count: int, period: str) -> str:
    return f"{count}{NO_BREAK}days, {period}"


LANGUAGE = Language(
    code="en",
    wording=ENGLISH,
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    points=_points,
    subject=_subject,
    title=_title,
    rise="A student needs more support than before.",
    fall="Good news: things are going better for a student.",
    detour_title=_detour_title,
    detour=_detour,
    fresh=_fresh,
    left="The student is no longer enrolled.",
    withdrawn_subject=_withdrawn_subject,
    withdrawn=_withdrawn,
    level_now=_level_now,
    corrected=_corrected,
    day_range=_day_range,
    instead_of_coach={
        StaffRole.COORDINATOR: "You get this mail as coordinator: there is no coach of the student who could be told.",
        StaffRole.PRINCIPAL: "You get this mail as principal: there is neither coach nor coordinator who could be told.",
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
        no_facts="There are no facts left to count from.",
        whole_group="gives no points",
        detour_lead="A student's level has changed more than once before anybody could be told.",
        withdrawn_lead="An earlier message about a student no longer applies.",
        told_another="The earlier message went to a colleague who cannot be reached any more.",
        rules_lead="A student's level has changed with new rules.",
        rules_change="The authority has changed its rules for points and levels.",
        rules_withdraw="The reason: the authority has changed its rules for points and levels.",
        open_page="Open the student's page",
        footer="The points follow open rules and are a support, not a decision: you judge what is needed. "
        "This mail was sent by Kvar and cannot be replied to.",
    ),
)
