"""How a language writes numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The signs of a language.

    Attributes:
        decimal: Decimal sign.
        thousands: What groups digits by three.
        percent_sign: With the space before it, where the language has one.
    """

    decimal: str
    thousands: str
    percent_sign: str

    def number(self, value: float, decimals: int = 2) -> str:
        """A number with so many decimals at most: 1 104 and 18,4 in Swedish, 1,104 and 18.4 in English."""
        text = self._fixed(value, decimals)
        return text.rstrip("0").removesuffix(self.decimal) if decimals else text

    def percent(self, value: float) -> str:
        """So many percent, with one decimal at most."""
        return f"{self.number(value, 1)}{self.percent_sign}"

    def tenths(self, value: float) -> str:
        """A number with one decimal always: 7.0 beside 14.2."""
        return self._fixed(value, 1)

    def percent_tenths(self, value: float) -> str:
        """So many percent, with one decimal always."""
        return f"{self._fixed(value, 1)}{self.percent_sign}"

    def share(self, part: float, whole: float) -> str:
        """A part as percent with one decimal, never rounded up: 14.96 % has not reached the threshold of 15.

        Raises:
            ZeroDivisionError: the whole is 0.
        """
        return f"{self._fixed(1000 * part // whole / 10, 1)}{self.percent_sign}"

    def count(self, value: float, one: str, many: str) -> str:
        """So many of something, with its word in the form that the number asks for: 1 kurs, 2 kurser."""
        return f"{self.number(value)}{NO_BREAK}{one if value == 1 else many}"

    def _fixed(self, value: float, decimals: int) -> str:
        signs = {",": self.thousands, ".": self.decimal}
        return "".join(signs.get(sign, sign) for sign in f"{value:,.{decimals}f}")


def duration(minutes: float) -> str:
    """Minutes as hours and minutes, alike in both languages: `7 h 30 min`."""
    hours, rest = divmod(round(minutes), 60)
    parts = [f"{hours}{NO_BREAK}h"] if hours else []
    return NO_BREAK.join([*parts, f"{rest}{NO_BREAK}min"] if rest or not hours else parts)
