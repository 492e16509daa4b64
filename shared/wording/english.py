"""English. Credits are always called course credits, so that nobody takes them for points of risk."""

from __future__ import annotations

from collections.abc import Callable

from shared.events import Level
from shared.wording.numbers import NO_BREAK, NumberFormat, duration
from shared.wording.reasons import IndicatorWords, Numbers, Wording

_NUMBERS = NumberFormat(decimal=".", thousands=",", percent_sign="%")
_number, _count, _share = _NUMBERS.number, _NUMBERS.count, _NUMBERS.share
_tenths, _percent = _NUMBERS.tenths, _NUMBERS.percent_tenths


def _last_school_days(count: float) -> str:
    return "on the last school day" if count == 1 else f"over the last {_number(count)}{NO_BREAK}school days"


def _total_absence(numbers: Numbers) -> str:
    absent, scheduled = numbers["absent_minutes"], numbers["scheduled_minutes"]
    return (
        f"Total absence {_share(absent, scheduled)} {_last_school_days(numbers['school_days'])} "
        f"({_number(absent)} of {_count(scheduled, 'minute', 'minutes')})"
    )


def _unexcused_absence(numbers: Numbers) -> str:
    days = numbers["calendar_days"]
    return f"Unexcused absence {duration(numbers['unexcused_minutes'])} over the last {_number(days)}{NO_BREAK}days"


def _absence_streak(numbers: Numbers) -> str:
    days = numbers["absent_school_days"]
    return f"Fully absent on {_count(days, 'school day', 'school days')}" + ("" if days == 1 else " in a row")


def _absence_trend(numbers: Numbers) -> str:
    recent = _share(numbers["recent_absent_minutes"], numbers["recent_scheduled_minutes"])
    earlier = _share(numbers["earlier_absent_minutes"], numbers["earlier_scheduled_minutes"])
    return (
        f"Absence is rising: {recent} {_last_school_days(numbers['recent_school_days'])} against {earlier} over the "
        f"{_number(numbers['earlier_school_days'])} before"
    )


def _late_arrivals(numbers: Numbers) -> str:
    late = _count(numbers["late_arrivals"], "late arrival", "late arrivals")
    return f"{late} {_last_school_days(numbers['school_days'])}"


def _failed_courses(numbers: Numbers) -> str:
    failed, warnings = numbers["failed"], numbers["open_warnings"]
    parts = []
    if failed or not warnings:
        parts.append(f"{_count(failed, 'course', 'courses')} with F or no basis for a grade")
    if warnings:
        parts.append(_count(warnings, "open F warning", "open F warnings"))
    return " and ".join(parts)


def _credit_margin(numbers: Numbers) -> str:
    failed = _count(numbers["failed_credits"], "course credit", "course credits")
    return f"{failed} with F or no basis for a grade; a diploma allows at most 250"


def _diploma_critical(numbers: Numbers) -> str:
    courses = numbers["critical_courses"]
    required = f"{_count(courses, 'course', 'courses')} required for the diploma"
    return f"{required} {'has' if courses == 1 else 'have'} F or no basis for a grade"


def _whole(group: str | None) -> str:
    if group is not None and group.startswith("unit:"):
        return f"The whole school unit {group.removeprefix('unit:')}"
    return f"The whole group {group.removeprefix('group:')}" if group is not None else "The whole group"


def _compared(numbers: Numbers, name: str, write: Callable[[float], str], now: str, before: str) -> str:
    """A group's number beside its own past and the rest of its unit, as far as these are known.

    `now` and `before` have a gap for the number.
    """
    told = now.format(write(numbers[f"recent_{name}"]))
    earlier, rest = numbers.get(f"earlier_{name}"), numbers.get(f"unit_{name}")
    told += f" against {before.format(write(earlier))}" if earlier is not None else ""
    return told + (f" (rest of the school {write(rest)})" if rest is not None else "")


def _group_share(name: str) -> Callable[[Numbers], str]:
    now = f"{name} {{}} {_last_school_days(10)}"
    return lambda numbers: _compared(numbers, "percent", _percent, now, "{} over the 20 before")


def _group_late_arrivals(numbers: Numbers) -> str:
    now = f"{{}} late arrivals per student {_last_school_days(10)}"
    return _compared(numbers, "late_per_student", _number, now, "{} before")


def _group_warnings(numbers: Numbers) -> str:
    before = f"{{}} as it was 20{NO_BREAK}school days before"
    return _compared(numbers, "open_warnings_per_student", _number, "{} open F warnings per student", before)


def _group_climate(numbers: Numbers) -> str:
    return _compared(numbers, "mean", _tenths, "climate {} of 5", "{} before")


ENGLISH = Wording(
    numbers=_NUMBERS,
    levels={Level.UNIVERSAL: "universal", Level.TARGETED: "targeted", Level.INDIVIDUAL: "individual"},
    indicators={
        "total_absence": IndicatorWords("total absence", _total_absence),
        "unexcused_absence": IndicatorWords("unexcused absence", _unexcused_absence),
        "absence_streak": IndicatorWords("full days absent in a row", _absence_streak),
        "absence_trend": IndicatorWords("rising absence", _absence_trend),
        "late_arrivals": IndicatorWords("late arrivals", _late_arrivals),
        "failed_courses": IndicatorWords("failed courses", _failed_courses),
        "credit_margin": IndicatorWords("reduced diploma margin", _credit_margin),
        "diploma_critical": IndicatorWords("courses required for the diploma", _diploma_critical),
    },
    group_indicators={
        "group_absence": IndicatorWords("absence of the whole group", _group_share("absence")),
        "group_unexcused_absence": IndicatorWords(
            "unexcused absence of the whole group", _group_share("unexcused absence")
        ),
        "group_late_arrivals": IndicatorWords("late arrivals of the whole group", _group_late_arrivals),
        "group_warnings": IndicatorWords("open warnings of the whole group", _group_warnings),
        "group_climate": IndicatorWords("climate of the whole group", _group_climate),
    },
    whole=_whole,
)
