"""The language of a reader, and shares and days in it. Pure."""

from __future__ import annotations

from datetime import date

from services.reporting.texts import Language
from services.reporting.units import STALE_WEEKDAYS, weekdays_between
from shared.wording import NO_BREAK, WORDINGS


def choose_language(asked: str | None, accepted: str) -> Language:
    """The language of `?lang=`, else the first of ours in an Accept-Language header by its weights, else Swedish."""
    if asked in {"sv", "en"}:
        return "en" if asked == "en" else "sv"
    weighted = []
    for item in accepted.split(","):
        tag, _, weight = item.strip().partition(";q=")
        try:
            weighted.append((-float(weight or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    wanted = [tag for weight, tag in sorted(weighted, key=lambda pair: pair[0]) if weight < 0]
    return "en" if next((tag for tag in wanted if tag in {"sv", "en"}), "sv") == "en" else "sv"


def percent(share: float, language: Language) -> str:
    """A share as percent: one decimal below ten, none above."""
    value = round(share * 100, 1)
    return WORDINGS[language].numbers.percent(value if value < 10 else round(value))


def weekdays(count: int, language: Language) -> str:
    """So many weekdays, counted in words of the language."""
    if language == "sv":
        return f"{count}{NO_BREAK}vardag" + ("" if count == 1 else "ar")
    return f"{count}{NO_BREAK}weekday" + ("" if count == 1 else "s")


def stale_days(count: int | None, language: Language) -> str:
    """After how many school days a student is called stale; in words where the number is not known."""
    if count is None:
        if language == "sv":
            return "så många skoldagar som huvudmannens regler anger"
        return "as many school days as the authority's rules name"
    if language == "sv":
        return f"minst {count}{NO_BREAK}skoldag" + ("" if count == 1 else "ar")
    return f"at least {count}{NO_BREAK}school day" + ("" if count == 1 else "s")


def behind(count: int, language: Language) -> str:
    """How far a unit's newest register lags behind the newest of its authority."""
    return f"{weekdays(count, language)} {'efter' if language == 'sv' else 'behind'}"


def newest_text(newest: date | None, today: date, language: Language) -> str | None:
    """How long ago the newest register of all was taken: what tells that the feed itself has stopped."""
    if newest is None:
        return None
    ago = weekdays_between(newest, today)
    if language == "sv":
        when = "i dag eller senaste vardagen" if ago == 0 else f"{weekdays(ago, language)} sedan"
        return f"Nyaste registrering: {newest.isoformat()}, {when}."
    when = "today or the last weekday" if ago == 0 else f"{weekdays(ago, language)} ago"
    return f"Newest register: {newest.isoformat()}, {when}."


def stale_rule(language: Language) -> str:
    """When a unit is called out of date."""
    if language == "sv":
        return (
            f"Inaktuell: registreringen ligger minst {weekdays(STALE_WEEKDAYS, language)} efter "
            "huvudmannens nyaste, eller saknas."
        )
    return (
        f"Out of date: the newest register lies {weekdays(STALE_WEEKDAYS, language)} or more behind "
        "the authority's newest, or there is none."
    )
