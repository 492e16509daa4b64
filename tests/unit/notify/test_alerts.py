"""Pauses between attempts, and the mail's stable id."""

from __future__ import annotations

from services.notify.alerts import LEASE, look_after, message_id, retry_after
from services.notify.names import TIMEOUT
from services.notify.smtp import WHOLE_SECONDS


def test_pauses_grow_to_a_limit() -> None:
    assert [retry_after(failures).total_seconds() for failures in (1, 2, 3, 6, 1000)] == [2, 4, 8, 60, 60]
    assert [look_after(failures).total_seconds() for failures in (1, 2, 7, 1000)] == [5, 10, 300, 300]


def test_the_message_id_depends_on_the_alert_alone() -> None:
    assert message_id("p_x:3", "kvar@skola.example") == "<p_x.3@skola.example>"


def test_the_lease_is_longer_than_the_longest_attempt() -> None:
    name = (TIMEOUT.connect or 0) + (TIMEOUT.read or 0) + (TIMEOUT.write or 0) + (TIMEOUT.pool or 0)
    assert LEASE.total_seconds() > name + WHOLE_SECONDS
