"""Counting what is parked in a row, by authority. Through the whole consumer: tests/integration/shared/test_holding.py."""

from __future__ import annotations

import pytest

from shared.messaging.budget import MOST_AUTHORITIES, UNKNOWN, ParkingBudget

NOW = 1000.0


def spent(limit: int = 3, authority: str = "0180") -> ParkingBudget:
    budget = ParkingBudget(limit)
    assert all(budget.may_park(authority, NOW) for _ in range(limit))
    return budget


def test_an_authority_may_park_its_number_in_a_row_and_then_none() -> None:
    budget = spent(3)
    assert not budget.may_park("0180", NOW)
    assert not budget.may_try("0180", NOW)
    assert budget.held == 1


def test_the_others_are_not_counted_with_it() -> None:
    budget = spent(3)
    assert budget.may_try("2480", NOW)
    assert [budget.may_park("2480", NOW) for _ in range(4)] == [True, True, True, False]


def test_a_success_starts_the_authoritys_own_budget_anew() -> None:
    budget = ParkingBudget(2)
    for _ in range(10):
        assert budget.may_park("0180", NOW)
        assert not budget.succeeded("0180")
    budget.may_park("0180", NOW)
    budget.succeeded("2480")
    budget.may_park("0180", NOW)
    assert budget.held == 1


def test_a_success_lets_a_held_authority_go_and_says_so() -> None:
    budget = spent(3)
    assert budget.succeeded("0180")
    assert (budget.held, budget.is_untouched) == (0, True)
    assert budget.may_try("0180", NOW)
    assert budget.may_park("0180", NOW)


def test_now_and_then_one_message_of_a_held_authority_is_tried() -> None:
    budget = spent(3)
    seconds = budget.trial_seconds
    assert not budget.may_try("0180", NOW + seconds - 1)
    assert [budget.may_try("0180", NOW + seconds) for _ in range(3)] == [True, False, False]
    assert not budget.may_park("0180", NOW + seconds), "what fails in the trial is held, not parked"
    assert [budget.may_try("0180", NOW + 2 * seconds) for _ in range(2)] == [True, False]


def test_what_could_not_be_parked_does_not_count() -> None:
    budget = ParkingBudget(2)
    for _ in range(10):
        assert budget.may_park("0180", NOW)
        budget.not_parked("0180")
    budget.may_park("0180", NOW)
    assert budget.may_park("0180", NOW)
    budget.not_parked("0180")
    assert (budget.held, budget.may_try("0180", NOW)) == (0, True)


@pytest.mark.parametrize("limit", [0, 3], ids=["no limit", "untouched"])
def test_what_was_not_counted_can_be_taken_back_without_harm(limit: int) -> None:
    budget = ParkingBudget(limit)
    budget.not_parked("0180")
    assert (budget.held, budget.is_untouched) == (0, True)


def test_without_a_budget_there_is_no_end() -> None:
    budget = ParkingBudget(0)
    assert all(budget.may_park("0180", NOW) for _ in range(1000))
    assert (budget.held, budget.is_untouched) == (0, True)


def test_authorities_that_are_too_many_share_one_budget_and_hold_nobody_else() -> None:
    budget = ParkingBudget(5)
    for number in range(MOST_AUTHORITIES):
        budget.may_park(f"a{number}", NOW)
    parked = sum(budget.may_park(f"b{number}", NOW) for number in range(MOST_AUTHORITIES))
    assert parked == 5
    assert budget.may_try("b0", NOW)
    assert not budget.may_try(UNKNOWN, NOW)
    assert budget.may_park("a0", NOW), "who is counted apart goes on being so"
