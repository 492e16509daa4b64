"""Chance must repeat itself on every platform and version of Python: pinned values."""

from __future__ import annotations

import pytest

from deploy.demo.chance import Chance


def test_a_stream_is_the_same_everywhere() -> None:
    chance = Chance(1, "student", 7)
    drawn = [chance.between(0, 999) for _ in range(5)]
    assert drawn == [437, 347, 674, 998, 199], "the stream has changed: every simulated school has changed with it"


def test_streams_of_different_keys_differ() -> None:
    assert Chance("a", "b").share() != Chance("ab").share()


def test_draws_do_not_depend_on_probabilities() -> None:
    often, never = Chance("x"), Chance("x")
    often.happens(1.0)
    never.happens(0.0)
    assert often.share() == never.share()


@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 6), (-3, 3)])
def test_between_reaches_both_ends_and_nothing_beyond(low: int, high: int) -> None:
    chance = Chance("between", low, high)
    assert {chance.between(low, high) for _ in range(500)} == set(range(low, high + 1))


def test_weighted_follows_the_weights() -> None:
    chance = Chance("weighted")
    drawn = [chance.weighted((("rare", 1.0), ("common", 9.0), ("never", 0.0))) for _ in range(2000)]
    assert 120 < drawn.count("rare") < 280
    assert "never" not in drawn


def test_shuffled_keeps_every_item() -> None:
    assert sorted(Chance("shuffle").shuffled(range(50))) == list(range(50))
