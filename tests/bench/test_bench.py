"""The benchmark's own parts: its arithmetic, its events, its options. What it measures is measured by running it."""

from __future__ import annotations

from itertools import islice

import pytest
from typer.testing import CliRunner

from services.scoring.handlers import incoming
from services.scoring.indicators import Model
from services.scoring.student import OPEN_DAYS, from_facts
from tests.bench import corrections, fold
from tests.bench.__main__ import app
from tests.bench.figures import Figure, as_json, as_table, machine, ratio_to
from tests.bench.latency import ALERT_EVERY, Arrivals, mixed, paced, percentile
from tests.bench.load import LESSONS_A_DAY, events, strangers
from tests.bench.memory import growth
from tests.builders import STOCKHOLM


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.5, 50.0), (0.99, 99.0), (0.001, 1.0), (1.0, 100.0)], ids=["p50", "p99", "least", "most"]
)
def test_percentile_is_a_value_that_was_measured(share: float, wanted: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == wanted


def test_one_in_so_many_events_raises_an_alert_of_a_new_student() -> None:
    load = list(mixed(10, 5 * ALERT_EVERY))
    alerting = [event.subject for event, is_measured in load if is_measured]
    assert len(load) == 5 * ALERT_EVERY
    assert len(set(alerting)) == 5
    assert not set(alerting) & {event.subject for event, is_measured in load if not is_measured}


async def test_paced_numbers_come_once_and_in_order() -> None:
    assert [number async for number in paced(50, 5_000)] == list(range(50))


def test_only_what_was_sent_counts_and_only_once() -> None:
    arrivals = Arrivals()
    arrivals.sent["a"] = 0.0
    arrivals.came("a")
    first = arrivals.milliseconds["a"]
    arrivals.came("a")
    arrivals.came("b")
    assert arrivals.milliseconds == {"a": first}


def test_one_more_lesson_is_news_in_every_round() -> None:
    model, facts = Model(), fold.term()
    student = from_facts(facts)
    student.assess(model)
    for revision in range(1, 5):
        assert student.apply([fold.newest_lesson(revision)]).changes
        assert fold.from_scratch([*facts, fold.newest_lesson(revision)], model) == student.assess(model).score
    assert len(student.marks) == fold.COURSES


def test_late_corrections_are_of_days_that_are_no_longer_at_hand_and_each_is_news() -> None:
    facts = [incoming(event, STOCKHOLM).kept for event in corrections.wave(corrections.LAST_WEEK, range(4, 6))]
    assert len({(kept.student, kept.fact) for kept in facts}) == len(facts) == 2 * corrections.STUDENTS * LESSONS_A_DAY
    assert not set(corrections.LAST_WEEK) & set(corrections.DAYS[-OPEN_DAYS - 1 :])


def test_memory_is_compared_with_that_after_a_tenth_of_what_was_done() -> None:
    samples = [(500, 80.0), (1_000, 90.0), (5_000, 91.0), (10_000, 99.0)]
    grown = growth(samples, 20_000)
    assert (grown.after_a_tenth, grown.at_the_end, grown.done) == (90.0, 99.0, 0.5)
    assert grown.ratio == pytest.approx(1.1)


def test_load_is_the_same_for_every_row() -> None:
    assert [event.subject for event in events(7, 50)] == [event.subject for event in events(7, 50)]
    passing = [event.subject for event in strangers(100)]
    assert len(set(passing)) == 100
    assert 100 < len(passing) < 200


def test_ratios_leave_out_what_was_not_measured() -> None:
    assert ratio_to(10.0, naive=5.0, floor=None) == {"naive": 2.0}


def test_table_and_json_name_the_machine() -> None:
    where = machine()
    figures = [Figure("fold", "one more lesson", 8.0, "µs", {"reference": 4.0})]
    assert f"{where['cores']} cores" in str(as_table(where, figures).title)
    said = as_json(where, {"events": 1}, figures)
    assert said["figures"][0]["ratios"] == {"reference": 4.0}
    assert {"date", "python", "cores", "packages"} <= set(said["machine"])


def test_unknown_rows_are_refused_before_anything_starts() -> None:
    answer = CliRunner().invoke(app, ["--row", "colour"])
    assert answer.exit_code == 2
    assert "colour" in answer.output


def test_events_come_in_the_order_of_lessons() -> None:
    first = [event.data.lesson for event in islice(events(3, 30), 6)]
    assert first == [first[0]] * 3 + [first[3]] * 3
