"""Swedish."""

from __future__ import annotations

from services.notify.wording.language import NO_BREAK, Language, Numbers, Words
from shared.events import Level, StaffRole

LEVELS = {Level.UNIVERSAL: "universell", Level.TARGETED: "riktad", Level.INDIVIDUAL: "individuell"}


def _total_absence(numbers: Numbers) -> str:
    absent, scheduled = numbers["absent_minutes"], numbers["scheduled_minutes"]
    share = LANGUAGE.number(1000 * int(absent) // int(scheduled) / 10, 1)
    return (
        f"Total frånvaro {share}{NO_BREAK}% de senaste {LANGUAGE.number(numbers['school_days'])} skoldagarna "
        f"({LANGUAGE.number(absent)} av {LANGUAGE.number(scheduled)}{NO_BREAK}minuter)"
    )


def _unexcused_absence(numbers: Numbers) -> str:
    minutes = numbers["unexcused_minutes"]
    return (
        f"Ogiltig frånvaro {_duration(minutes)} de senaste {LANGUAGE.number(numbers['calendar_days'])} dagarna "
        f"({LANGUAGE.number(minutes)}{NO_BREAK}minuter)"
    )


def _failed_courses(numbers: Numbers) -> str:
    failed, warnings = numbers["failed"], numbers["open_warnings"]
    parts = []
    if failed or not warnings:
        parts.append(f"{LANGUAGE.number(failed)} {'kurs' if failed == 1 else 'kurser'} med F eller streck")
    if warnings:
        parts.append(f"{LANGUAGE.number(warnings)} {'öppen F-varning' if warnings == 1 else 'öppna F-varningar'}")
    return " och ".join(parts)


def _duration(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    parts = [f"{hours}{NO_BREAK}h"] if hours else []
    return NO_BREAK.join([*parts, f"{rest}{NO_BREAK}min"] if rest or not hours else parts)


def _points(points: int) -> str:
    return f"{points}{NO_BREAK}poäng"


def _subject(before: Level, after: Level, school_unit: str | None) -> str:
    direction = "upp" if after.rank > before.rank else "ned"
    text = f"{LEVELS[after].capitalize()} nivå, {direction} från {LEVELS[before]}"
    return f"{text} ({school_unit})" if school_unit else text


def _title(before: Level, after: Level) -> str:
    return f"Från {LEVELS[before]} till {LEVELS[after]} nivå"


def _fresh(counted: str, registered: str | None) -> str:
    if registered is None:
        return f"Räknat till och med {counted}."
    return f"Räknat till och med {counted}; närvaro är registrerad till och med {registered}."


LANGUAGE = Language(
    code="sv",
    decimal=",",
    thousands=NO_BREAK,
    months=("jan", "feb", "mars", "april", "maj", "juni", "juli", "aug", "sep", "okt", "nov", "dec"),
    levels=LEVELS,
    indicators={
        "total_absence": "total frånvaro",
        "unexcused_absence": "ogiltig frånvaro",
        "failed_courses": "underkända kurser",
    },
    describe={
        "total_absence": _total_absence,
        "unexcused_absence": _unexcused_absence,
        "failed_courses": _failed_courses,
    },
    points=_points,
    subject=_subject,
    title=_title,
    rise="En elev behöver mer stöd än förut.",
    fall="Goda nyheter: det går bättre för en elev.",
    fresh=_fresh,
    left="Eleven var inte längre inskriven den dagen.",
    instead_of_coach={
        StaffRole.COORDINATOR: "Du får mejlet som samordnare: elevens coach kunde inte nås.",
        StaffRole.PRINCIPAL: "Du får mejlet som rektor: varken coach eller samordnare kunde nås.",
    },
    words=Words(
        preheader="Öppna mejlet för att se vem det gäller och varför.",
        student="Elev",
        protected="skyddad identitet",
        nameless="namn saknas",
        why="Därför",
        remains="Det som återstår",
        no_reasons="Inga indikatorer ger poäng längre.",
        more_reasons="Fler skäl finns på elevens sida.",
        changed="Sedan förra nivån",
        freshness="Underlag",
        open_page="Öppna elevens sida",
        footer="Poängen räknas enligt öppna regler och är ett stöd, inget beslut: du avgör vad som behövs. "
        "Mejlet är skickat av Kvar och går inte att svara på.",
    ),
)
