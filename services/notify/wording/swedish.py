"""Swedish."""

from __future__ import annotations

from services.notify.wording.language import Language, Words
from shared.events import Level, StaffRole
from shared.wording import NO_BREAK, SWEDISH

LEVELS = SWEDISH.levels


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
    wording=SWEDISH,
    months=("jan", "feb", "mars", "april", "maj", "juni", "juli", "aug", "sep", "okt", "nov", "dec"),
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
