"""The gauge of freshness shows the largest units of each authority and says how many it leaves out."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY

from services.reporting import counting
from services.reporting.clock import Clock
from services.reporting.counting import FreshnessGauge
from services.reporting.store import UnitRecord, UnitStore
from services.reporting.units import Row
from services.reporting.views import UnitKey
from shared.events import Level
from shared.events.places import Presence
from tests.unit.reporting.builders import MONDAY, count, noon

CLOCK = Clock(ZoneInfo("Europe/Stockholm"), lambda: noon(MONDAY))
NAME = "kvar_unit_fresh_until_timestamp_seconds"


class Units(UnitStore):
    """Units of a size each."""

    def __init__(self) -> None:
        self.students: dict[UnitKey, int] = {}

    async def units(self) -> list[UnitRecord]:
        row = Row(Presence.ACTIVE, Level.UNIVERSAL, MONDAY)
        return [UnitRecord(key, count([row] * size), noon(MONDAY)) for key, size in self.students.items()]


def shown(authority: str) -> set[str]:
    return {
        sample.labels["school_unit"]
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == NAME and sample.labels["authority"] == authority
    }


def left_out(authority: str) -> float | None:
    return REGISTRY.get_sample_value("kvar_units_without_freshness", {"authority": authority})


async def test_the_largest_units_of_each_authority_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_SHOWN", 3)
    units = Units()
    gauge = FreshnessGauge(units, CLOCK)
    hostile = {UnitKey("hostile", f"unit-{number:04}"): 1 for number in range(1000)}
    units.students = {**hostile, UnitKey("hostile", "school"): 20, UnitKey("other", "school"): 5}
    await gauge.refresh()
    assert shown("hostile") == {"school", "unit-0000", "unit-0001"}
    assert left_out("hostile") == 998
    assert (shown("other"), left_out("other")) == ({"school"}, 0)
    units.students = {UnitKey("hostile", "school"): 20}
    await gauge.refresh()
    assert (shown("hostile"), left_out("hostile")) == ({"school"}, 0)
    assert shown("other") == set()
