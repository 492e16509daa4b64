"""Numbers, days and reasons as sentences, in Swedish and English. Pure."""

from __future__ import annotations

from datetime import date
from math import floor
from typing import TYPE_CHECKING

from services.reporting.texts import Language
from services.reporting.units import STALE_WEEKDAYS, weekdays_between

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


NO_BREAK = "\u00a0"

_INDICATORS: dict[Language, dict[str, str]] = {
    "sv": {
        "total_absence": "Total frånvaro",
        "unexcused_absence": "Ogiltig frånvaro",
        "failed_courses": "Underkända kurser",
    },
    "en": {
        "total_absence": "Total absence",
        "unexcused_absence": "Unexcused absence",
        "failed_courses": "Failed courses",
    },
}


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


def indicator_name(indicator: str, language: Language) -> str:
    """Name of an indicator; one that we do not know keeps its own, readable."""
    return _INDICATORS[language].get(indicator) or indicator.replace("_", " ").capitalize()


def reason_text(indicator: str, numbers: Mapping[str, float | int], language: Language) -> str:
    """The numbers behind a reason as a sentence; those of an unknown kind as a list of names and values."""
    known = _REASONS.get((indicator, language))
    if known is not None:
        needed, write = known
        if needed <= numbers.keys():
            return write(numbers)
    return ", ".join(f"{name.replace('_', ' ')} {number(value, language)}" for name, value in numbers.items())


def number(value: float, language: Language) -> str:
    """A number as the language writes it: 2 340 and 3,5 in Swedish, 2,340 and 3.5 in English."""
    text = f"{value:,.1f}".removesuffix(".0")
    if language == "en":
        return text
    return text.replace(",", NO_BREAK).replace(".", ",")


def percent(share: float, language: Language) -> str:
    """A share as percent: one decimal below ten, none above."""
    value = round(share * 100, 1)
    return _percent(value if value < 10 else round(value), language)


def percent_reached(share: float, language: Language) -> str:
    """A share as percent with one decimal, never rounded up: 14.96 % has not reached the threshold of 15."""
    return _percent(floor(round(share * 1000, 6)) / 10, language)


def _percent(value: float, language: Language) -> str:
    text = number(value, language)
    return f"{text}{NO_BREAK}%" if language == "sv" else f"{text}%"


def duration(minutes: float) -> str:
    """Minutes as hours and minutes: `7 h 30 min`."""
    hours, rest = divmod(round(minutes), 60)
    parts = [f"{hours}{NO_BREAK}h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest}{NO_BREAK}min")
    return " ".join(parts)


def weekdays(count: int, language: Language) -> str:
    """So many weekdays, counted in words of the language."""
    if language == "sv":
        return f"{count}{NO_BREAK}vardag" + ("" if count == 1 else "ar")
    return f"{count}{NO_BREAK}weekday" + ("" if count == 1 else "s")


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


def _share(numbers: Mapping[str, float | int], language: Language) -> str:
    scheduled = numbers["scheduled_minutes"]
    return percent_reached(numbers["absent_minutes"] / scheduled if scheduled else 0, language)


def _total_absence_sv(numbers: Mapping[str, float | int]) -> str:
    absent, scheduled = (number(numbers[name], "sv") for name in ("absent_minutes", "scheduled_minutes"))
    days = number(numbers["school_days"], "sv")
    return f"Borta {_share(numbers, 'sv')} av tiden: {absent} av {scheduled} schemalagda minuter på {days}{NO_BREAK}skoldagar"


def _total_absence_en(numbers: Mapping[str, float | int]) -> str:
    absent, scheduled = (number(numbers[name], "en") for name in ("absent_minutes", "scheduled_minutes"))
    days = number(numbers["school_days"], "en")
    return (
        f"Absent {_share(numbers, 'en')} of the time: {absent} of {scheduled} scheduled minutes on {days} school days"
    )


def _unexcused_sv(numbers: Mapping[str, float | int]) -> str:
    days = number(numbers["calendar_days"], "sv")
    return f"Ogiltigt borta {duration(numbers['unexcused_minutes'])} på {days}{NO_BREAK}dagar"


def _unexcused_en(numbers: Mapping[str, float | int]) -> str:
    return f"Absent without excuse for {duration(numbers['unexcused_minutes'])} in {numbers['calendar_days']:.0f} days"


def _failed_sv(numbers: Mapping[str, float | int]) -> str:
    failed, warnings = numbers["failed"], numbers["open_warnings"]
    courses = f"{number(failed, 'sv')} {'kurs' if failed == 1 else 'kurser'} med F eller streck"
    return f"{courses}, {number(warnings, 'sv')} {'öppen F-varning' if warnings == 1 else 'öppna F-varningar'}"


def _failed_en(numbers: Mapping[str, float | int]) -> str:
    failed, warnings = numbers["failed"], numbers["open_warnings"]
    courses = f"{number(failed, 'en')} {'course' if failed == 1 else 'courses'} with F or no grade"
    return f"{courses}, {number(warnings, 'en')} {'open warning' if warnings == 1 else 'open warnings'}"


_ABSENCE = frozenset({"absent_minutes", "scheduled_minutes", "school_days"})
_UNEXCUSED = frozenset({"unexcused_minutes", "calendar_days"})
_FAILED = frozenset({"failed", "open_warnings"})

_REASONS: dict[tuple[str, Language], tuple[frozenset[str], Callable[[Mapping[str, float | int]], str]]] = {
    ("total_absence", "sv"): (_ABSENCE, _total_absence_sv),
    ("total_absence", "en"): (_ABSENCE, _total_absence_en),
    ("unexcused_absence", "sv"): (_UNEXCUSED, _unexcused_sv),
    ("unexcused_absence", "en"): (_UNEXCUSED, _unexcused_en),
    ("failed_courses", "sv"): (_FAILED, _failed_sv),
    ("failed_courses", "en"): (_FAILED, _failed_en),
}
