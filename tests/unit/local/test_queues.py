"""Reading the broker's counts and deciding when all work is done; the real metrics are in tests/integration/local."""

from __future__ import annotations

import pytest

from deploy.local.queues import Counts, Drain, QueueCounts, parked, parse_counts, pending

METRICS = """\
# TYPE rabbitmq_detailed_queue_messages_ready gauge
# HELP rabbitmq_detailed_queue_messages_ready Messages ready to be delivered to consumers
rabbitmq_detailed_queue_messages_ready{vhost="/",queue="scoring.s00"} 12
rabbitmq_detailed_queue_messages_ready{vhost="/",queue="notify.parking"} 1
rabbitmq_detailed_queue_messages_unacked{vhost="/",queue="scoring.s00"} 3
rabbitmq_detailed_queue_messages_unacked{vhost="/",queue="notify.parking"} 0
rabbitmq_detailed_queue_messages{vhost="/",queue="scoring.s00"} 15
"""


def test_counts_are_read_by_queue() -> None:
    assert parse_counts(METRICS) == {"scoring.s00": Counts(12, 3), "notify.parking": Counts(1, 0)}


def test_parked_and_held_messages_are_nobodys_work() -> None:
    counts = {**parse_counts(METRICS), "scoring.held": Counts(7, 0)}
    assert pending(counts) == {"scoring.s00": 15}
    assert parked(counts) == {"notify.parking": 1, "scoring.held": 7}


class _Scripted(QueueCounts):
    """Counts that follow a script: one number of unacknowledged messages a look."""

    def __init__(self, *unacknowledged: int) -> None:
        self._script = list(unacknowledged)

    async def read(self) -> dict[str, Counts]:
        return {"scoring.s00": Counts(0, self._script.pop(0))}


@pytest.mark.parametrize(
    ("script", "clock", "answers"),
    [
        pytest.param([0, 0], [0.0, 0.4], [False, True], id="quiet for long enough"),
        pytest.param([0, 0], [0.0, 0.2], [False, False], id="not yet for long enough"),
        pytest.param([0, 5, 0, 0], [0.0, 0.5, 1.0], [False, False, False, True], id="work appears in between"),
        pytest.param([0, 0, 0], [0.0, 0.4, 0.5], [False, True, False], id="each answer needs its own quiet"),
    ],
)
async def test_drained_means_quiet_at_two_looks(
    monkeypatch: pytest.MonkeyPatch, script: list[int], clock: list[float], answers: list[bool]
) -> None:
    times = iter([*clock, 1.4])
    monkeypatch.setattr("deploy.local.queues.monotonic", lambda: next(times))
    drain = Drain(_Scripted(*script), quiet_seconds=0.35)
    assert [await drain.is_done() for _ in script] == answers
