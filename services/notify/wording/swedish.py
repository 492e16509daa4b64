"""Swedish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.notify.wording.language import Language, Words
from shared.events import Level, StaffRole
from shared.wording import NO_BREAK, SWEDISH

LEVELS = SWEDISH.levels


def _points(points: int) -> str:
    return f"{points}{NO_BREAK}poäng"


def _subject(before: Level, after: Level) -> str:
    direction = "upp" if after.rank > before.rank else "ned"
    return f"{LEVELS[after].capitalize()} nivå, {direction} från {LEVELS[before]}"


def _title(before: Level, after: Level) -> str:
    return f"Från {LEVELS[before]} till {LEVELS[after]} nivå"


def _detour_title(between: Level, now: Level) -> str:
    return f"Nivån var {LEVELS[between]} en tid och är nu {LEVELS[now]}"


def _detour(risen: bool, level: Level, since: str | None) -> str:
    if since is None:
        return f"Nivån var {LEVELS[level]} en tid; ingen fick veta det."
    return f"Den {since} {'steg' if risen else 'sjönk'} nivån till {LEVELS[level]}; då fanns det ingen som kunde få veta det."


def _fresh(counted: str, registered: str | None) -> str:
    if registered is None:
        return f"Räknat till och med {counted}."
    return f"Räknat till och med {counted}; närvaro är registrerad till och med {registered}."


def _withdrawn_subject(levels: Sequence[Level]) -> str:
    if len(levels) == 1:
        return f"Meddelandet om {LEVELS[levels[0]]} nivå gäller inte längre"
    return "Tidigare meddelanden gäller inte längre"


def _withdrawn(mails: Sequence[tuple[str, Level]]) -> str:
    *others, last = [f"{day} ({LEVELS[level]} nivå)" for day, level in mails]
    if not others:
        return f"Meddelandet från {last} gäller inte längre."
    return f"Meddelandena från {', '.join(others)} och {last} gäller inte längre."


def _level_now(level: Level) -> str:
    return f"Nivån är nu {LEVELS[level]}."


def _corrected(days: Mapping[str, str]) -> str:
    kinds = {
        "attendance": "närvaro",
        "mark": "betyg eller varning",
        "place": "inskrivningen från",
        "rules": "huvudmannens regler från",
    }
    facts = "; ".join(f"{kinds[kind]} {text}" for kind, text in days.items())
    return "Det beror på att uppgifter har rättats" + (f" ({facts})." if facts else ".")


def _day_range(count: int, period: str) -> str:
    return f"{count}{NO_BREAK}dagar, {period}"


LANGUAGE = Language(
    code="sv",
    wording=SWEDISH,
    months=("jan", "feb", "mars", "april", "maj", "juni", "juli", "aug", "sep", "okt", "nov", "dec"),
    points=_points,
    subject=_subject,
    title=_title,
    rise="En elev behöver mer stöd än förut.",
    fall="Goda nyheter: det går bättre för en elev.",
    detour_title=_detour_title,
    detour=_detour,
    fresh=_fresh,
    left="Eleven är inte längre inskriven.",
    withdrawn_subject=_withdrawn_subject,
    withdrawn=_withdrawn,
    level_now=_level_now,
    corrected=_corrected,
    day_range=_day_range,
    instead_of_coach={
        StaffRole.COORDINATOR: "Du får mejlet som samordnare: det finns ingen coach för eleven att meddela.",
        StaffRole.PRINCIPAL: "Du får mejlet som rektor: det finns varken coach eller samordnare att meddela.",
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
        no_facts="Det finns inga uppgifter kvar att räkna på.",
        whole_group="ger inga poäng",
        detour_lead="En elevs nivå har ändrats mer än en gång innan någon kunde få veta det.",
        withdrawn_lead="Ett tidigare meddelande om en elev gäller inte längre.",
        told_another="Det tidigare meddelandet gick till en kollega som inte längre kan nås.",
        rules_lead="En elevs nivå har ändrats med nya regler.",
        rules_change="Huvudmannen har ändrat sina regler för poäng och nivåer.",
        rules_withdraw="Det beror på att huvudmannen har ändrat sina regler för poäng och nivåer.",
        open_page="Öppna elevens sida",
        footer="Poängen räknas enligt öppna regler och är ett stöd, inget beslut: du avgör vad som behövs. "
        "Mejlet är skickat av Kvar och går inte att svara på.",
    ),
)
