"""What a language must be able to say about a risk: its level and its reasons. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.events import Level
from shared.wording.numbers import NO_BREAK, NumberFormat

Numbers = Mapping[str, float | int]
"""The raw numbers of a reason; their units stand in their names."""


@dataclass(frozen=True, slots=True)
class IndicatorWords:
    """An indicator in words.

    Attributes:
        name: As it stands inside a sentence.
        sentence: Its numbers as a sentence without full stop, dates and points. Raises `KeyError` when one is missing.
    """

    name: str
    sentence: Callable[[Numbers], str]


@dataclass(frozen=True, slots=True)
class Wording:
    """A language. Names of levels and indicators are those for the middle of a sentence.

    Attributes:
        indicators: What is counted of one student.
        group_indicators: What is counted of a whole group or school unit: `group_absence` and so on. Their sentences begin
            in lower case and do not say whose numbers they are.
        whole: `(group)` → the whole of it, at the head of a sentence; without a code when it must not be named.
    """

    numbers: NumberFormat
    levels: Mapping[Level, str]
    indicators: Mapping[str, IndicatorWords]
    group_indicators: Mapping[str, IndicatorWords]
    whole: Callable[[str | None], str]

    def name(self, indicator: str) -> str:
        """An indicator's name inside a sentence; one that has no words keeps its own, readable."""
        words = self.indicators.get(indicator) or self.group_indicators.get(indicator)
        return words.name if words is not None else indicator.replace("_", " ")

    def heading(self, indicator: str) -> str:
        """An indicator's name at the head of a line."""
        name = self.name(indicator)
        return name[:1].upper() + name[1:]

    def sentence(self, indicator: str, numbers: Numbers, group: str | None = None) -> str:
        """The numbers behind a reason as a sentence that stands without the indicator's name.

        `group`: the code of the group whose numbers they are, for reasons that speak of a whole group.
        """
        if indicator in self.group_indicators:
            return f"{self.whole(group)}: {self.group_sentence(indicator, numbers)}"
        return self._told(self.indicators.get(indicator), indicator, numbers)

    def group_sentence(self, indicator: str, numbers: Numbers) -> str:
        """The numbers of a whole group for a place that says already which group it is."""
        return self._told(self.group_indicators.get(indicator), indicator, numbers)

    def _told(self, words: IndicatorWords | None, indicator: str, numbers: Numbers) -> str:
        if words is None:
            return self._raw(indicator, numbers)
        try:
            return words.sentence(numbers)
        except (KeyError, ZeroDivisionError):
            # An older or newer scoring may count other things; raw numbers are better than none.
            return self._raw(indicator, numbers)

    def _raw(self, indicator: str, numbers: Numbers) -> str:
        listed = ", ".join(
            f"{name.replace('_', ' ')}{NO_BREAK}{self.numbers.number(value)}" for name, value in sorted(numbers.items())
        )
        heading = self.heading(indicator)
        return f"{heading}: {listed}" if listed else heading
