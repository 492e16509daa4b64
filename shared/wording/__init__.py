"""How people read a risk: levels, indicators and the numbers behind them, alike in mails and on pages.

One module a language; each knows every indicator that scoring has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.wording.english import ENGLISH
from shared.wording.numbers import NO_BREAK, NumberFormat
from shared.wording.reasons import IndicatorWords, Numbers, Wording
from shared.wording.swedish import SWEDISH

WORDINGS: Final[Mapping[str, Wording]] = {"sv": SWEDISH, "en": ENGLISH}
"""By language code."""

__all__ = ["ENGLISH", "NO_BREAK", "SWEDISH", "WORDINGS", "IndicatorWords", "NumberFormat", "Numbers", "Wording"]
