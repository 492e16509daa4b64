"""Cases that schools have met, with the values that were worked out by hand from the text.

`CASES`: events of one student and the score that she should end with. `PLACE_CASES`: where a student is on a day. `SIGNAL_CASES`:
what is said of groups and of stale students.
"""

from tests.school_cases import days, marks, minutes, places, replaced
from tests.school_cases.case import Case
from tests.school_cases.signals import SIGNAL_CASES, SignalCase
from tests.school_cases.where import PLACE_CASES, PlaceCase

CASES: list[Case] = [*places.CASES, *minutes.CASES, *days.CASES, *marks.CASES, *replaced.CASES]

__all__ = ["CASES", "PLACE_CASES", "SIGNAL_CASES", "Case", "PlaceCase", "SignalCase"]
