"""Pauses between attempts, and the mail's stable id."""

from __future__ import annotations

from services.notify.alerts import LEASE, RENEWAL, look_after, message_id, retry_after


def test_pauses_grow_to_a_limit() -> None:
    assert [retry_after(failures).total_seconds() for failures in (1, 2, 3, 6, 1000)] == [2, 4, 8, 60, 60]
    assert [look_after(failures).total_seconds() for failures in (1, 2, 7, 1000)] == [5, 10, 300, 300]


def test_the_message_id_depends_on_the_alert_alone() -> None:
    assert message_id("p_x:3", "kvar@skola.example") == "<p_x.3@skola.example>"


def test_two_renewals_of_a_lease_may_fail() -> None:
    assert 3 * RENEWAL < LEASE
