"""Swedish. Credits are always called gymnasiepoäng: poäng alone means points of risk."""

from __future__ import annotations

from collections.abc import Callable

from shared.events import Level
from shared.wording.numbers import NO_BREAK, NumberFormat, duration
from shared.wording.reasons import IndicatorWords, Numbers, Wording

_NUMBERS = NumberFormat(decimal=",", thousands=NO_BREAK, percent_sign=f"{NO_BREAK}%")
_number, _count, _share = _NUMBERS.number, _NUMBERS.count, _NUMBERS.share
_tenths, _percent = _NUMBERS.tenths, _NUMBERS.percent_tenths


def _last_school_days(count: float) -> str:
    return "den senaste skoldagen" if count == 1 else f"de senaste {_number(count)}{NO_BREAK}skoldagarna"


def _total_absence(numbers: Numbers) -> str:
    absent, scheduled = numbers["absent_minutes"], numbers["scheduled_minutes"]
    return (
        f"Total frånvaro {_share(absent, scheduled)} {_last_school_days(numbers['school_days'])} "
        f"({_number(absent)} av {_count(scheduled, 'minut', 'minuter')})"
    )


def _unexcused_absence(numbers: Numbers) -> str:
    days = numbers["calendar_days"]
    return f"Ogiltig frånvaro {duration(numbers['unexcused_minutes'])} de senaste {_number(days)}{NO_BREAK}dagarna"


def _absence_streak(numbers: Numbers) -> str:
    days = numbers["absent_school_days"]
    return f"Helt borta {_count(days, 'skoldag', 'skoldagar')}" + ("" if days == 1 else " i rad")


def _absence_trend(numbers: Numbers) -> str:
    recent = _share(numbers["recent_absent_minutes"], numbers["recent_scheduled_minutes"])
    earlier = _share(numbers["earlier_absent_minutes"], numbers["earlier_scheduled_minutes"])
    return (
        f"Frånvaron ökar: {recent} {_last_school_days(numbers['recent_school_days'])} mot {earlier} de "
        f"{_number(numbers['earlier_school_days'])} före"
    )


def _late_arrivals(numbers: Numbers) -> str:
    late = _count(numbers["late_arrivals"], "sen ankomst", "sena ankomster")
    return f"{late} {_last_school_days(numbers['school_days'])}"


def _failed_courses(numbers: Numbers) -> str:
    failed, warnings = numbers["failed"], numbers["open_warnings"]
    parts = []
    if failed or not warnings:
        parts.append(f"{_count(failed, 'kurs', 'kurser')} med F eller streck")
    if warnings:
        parts.append(_count(warnings, "öppen F-varning", "öppna F-varningar"))
    return " och ".join(parts)


def _credit_margin(numbers: Numbers) -> str:
    failed = _count(numbers["failed_credits"], "gymnasiepoäng", "gymnasiepoäng")
    return f"{failed} med F eller streck; examen tål högst 250"


def _diploma_critical(numbers: Numbers) -> str:
    # Not "underkänd": a dash is no F, it says that there is no basis for a grade.
    return f"{_count(numbers['critical_courses'], 'kurs', 'kurser')} som krävs för examen har F eller streck"


def _whole(group: str | None) -> str:
    if group is not None and group.startswith("unit:"):
        return f"Hela skolenheten {group.removeprefix('unit:')}"
    return f"Hela gruppen {group.removeprefix('group:')}" if group is not None else "Hela gruppen"


def _compared(numbers: Numbers, name: str, write: Callable[[float], str], now: str, before: str) -> str:
    """A group's number beside its own past and the rest of its unit, as far as these are known.

    `now` and `before` have a gap for the number.
    """
    told = now.format(write(numbers[f"recent_{name}"]))
    earlier, rest = numbers.get(f"earlier_{name}"), numbers.get(f"unit_{name}")
    told += f" mot {before.format(write(earlier))}" if earlier is not None else ""
    return told + (f" (övriga skolan {write(rest)})" if rest is not None else "")


def _group_share(name: str) -> Callable[[Numbers], str]:
    now = f"{name} {{}} {_last_school_days(10)}"
    return lambda numbers: _compared(numbers, "percent", _percent, now, "{} de 20 före")


def _group_late_arrivals(numbers: Numbers) -> str:
    now = f"{{}} sena ankomster per elev {_last_school_days(10)}"
    return _compared(numbers, "late_per_student", _number, now, "{} före")


def _group_warnings(numbers: Numbers) -> str:
    before = f"{{}} för 20{NO_BREAK}skoldagar sedan"
    return _compared(numbers, "open_warnings_per_student", _number, "{} öppna F-varningar per elev", before)


def _group_climate(numbers: Numbers) -> str:
    return _compared(numbers, "mean", _tenths, "klimat {} av 5", "{} före")


SWEDISH = Wording(
    numbers=_NUMBERS,
    levels={Level.UNIVERSAL: "universell", Level.TARGETED: "riktad", Level.INDIVIDUAL: "individuell"},
    indicators={
        "total_absence": IndicatorWords("total frånvaro", _total_absence),
        "unexcused_absence": IndicatorWords("ogiltig frånvaro", _unexcused_absence),
        "absence_streak": IndicatorWords("hela dagar borta i rad", _absence_streak),
        "absence_trend": IndicatorWords("ökande frånvaro", _absence_trend),
        "late_arrivals": IndicatorWords("sena ankomster", _late_arrivals),
        "failed_courses": IndicatorWords("underkända kurser", _failed_courses),
        "credit_margin": IndicatorWords("minskad marginal till examen", _credit_margin),
        "diploma_critical": IndicatorWords("kurser som krävs för examen", _diploma_critical),
    },
    group_indicators={
        "group_absence": IndicatorWords("hela gruppens frånvaro", _group_share("frånvaro")),
        "group_unexcused_absence": IndicatorWords("hela gruppens ogiltiga frånvaro", _group_share("ogiltig frånvaro")),
        "group_late_arrivals": IndicatorWords("hela gruppens sena ankomster", _group_late_arrivals),
        "group_warnings": IndicatorWords("hela gruppens öppna varningar", _group_warnings),
        "group_climate": IndicatorWords("hela gruppens klimat", _group_climate),
    },
    whole=_whole,
)
