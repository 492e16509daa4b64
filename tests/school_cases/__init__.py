"""Cases that schools have met, with the values that were worked out by hand from the text.

`CASES`: events of one student and the score that she should end with. `ALERT_CASES`: what is said of her level on the way.
`PLACE_CASES`: where a student is on a day. `SIGNAL_CASES`: what is said of groups and of stale students.
"""

from tests.school_cases import bounds, bounds_of_places, days, marks, minutes, places, replaced, where
from tests.school_cases.bounds_in_time import ALERT_CASES
from tests.school_cases.case import AlertCase, Case
from tests.school_cases.signals import SIGNAL_CASES, SignalCase
from tests.school_cases.where import PlaceCase

CASES: list[Case] = [
    *places.CASES,
    *minutes.CASES,
    *days.CASES,
    *marks.CASES,
    *replaced.CASES,
    *bounds.CASES,
    *bounds_of_places.CASES,
]
PLACE_CASES: list[PlaceCase] = [*where.PLACE_CASES, *bounds_of_places.PLACE_CASES]

__all__ = ["ALERT_CASES", "CASES", "PLACE_CASES", "SIGNAL_CASES", "AlertCase", "Case", "PlaceCase", "SignalCase"]
