"""Labels whose values come with messages take a bounded number of them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared import metrics
from shared.metrics import MOST_VALUES, OTHER, BoundedCounter

FIXED = {"work", "service", "step", "cause", "outcome", "indicator", "state", "queue"}
"""Labels whose values the code or the settings fix."""


def test_values_beyond_the_bound_are_counted_together() -> None:
    registry = CollectorRegistry()
    counter = BoundedCounter("things", "what it says", ["service", "authority"], registry=registry)
    for number in range(3 * MOST_VALUES):
        counter.labels("one", f"authority-{number}").inc()
        counter.labels(authority=f"authority-{number}", service="two").inc(2)
    [family] = registry.collect()
    totals = {tuple(sample.labels.values()): sample.value for sample in family.samples if sample.name == "things_total"}
    assert len(totals) == 2 * (MOST_VALUES + 1)
    assert sum(totals.values()) == 3 * 3 * MOST_VALUES
    assert totals["one", "authority-0"] == 1
    assert totals["two", OTHER] == 2 * 2 * MOST_VALUES


def test_a_long_value_is_no_label() -> None:
    registry = CollectorRegistry()
    counter = BoundedCounter("things", "what it says", ["type"], registry=registry)
    counter.labels("x" * 10_000).inc()
    assert registry.get_sample_value("things_total", {"type": OTHER}) == 1


def test_a_label_is_fixed_or_its_metric_is_bounded() -> None:
    """Freshness bounds its units itself."""
    open_ended = {
        name: metric
        for name, metric in vars(metrics).items()
        if isinstance(metric, Counter | Gauge | Histogram) and set(metric._labelnames) - FIXED
    }
    assert {name for name, metric in open_ended.items() if not isinstance(metric, BoundedCounter)} == {
        "FRESHNESS",
        "UNITS_NOT_SHOWN",
    }
