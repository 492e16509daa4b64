"""What the demo says at its end, and what it finds wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from deploy.demo.events import DayOfEvents, Source
from deploy.demo.player import PlayResult
from deploy.local.demo import unexpected
from deploy.local.layout import Ports, Secrets
from deploy.local.mails import Mail
from deploy.local.report import ALERTS_SHOWN, addresses, alerts_shown, figures, percentile, units_table

if TYPE_CHECKING:
    from rich.console import RenderableType

MORNING = datetime(2026, 2, 3, 8, 0, tzinfo=UTC)


def alert(latency_seconds: float, number: int = 1) -> Mail:
    arrived = MORNING + timedelta(seconds=latency_seconds)
    return Mail(f"m{number}", "kvar@localhost", "coach@example.org", f"Alert {number}", "Why", arrived, MORNING)


def shown(*what: RenderableType) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(*what)
    return capture.get()


@dataclass
class Played:
    source: Source = field(default_factory=lambda: Source("2480", "test"))
    days: list[DayOfEvents] = field(default_factory=list)
    total_events: int = 10
    expected_rejections: int = 1


@pytest.mark.parametrize(
    ("percent", "value"),
    [
        pytest.param(50, 2.0, id="middle"),
        pytest.param(99, 4.0, id="slowest of few"),
        pytest.param(1, 1.0, id="fastest"),
    ],
)
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == value


@pytest.mark.parametrize(
    ("result", "complaints"),
    [
        pytest.param(PlayResult(sent=10, accepted=7, duplicate=2, rejected=1), [], id="as expected"),
        pytest.param(
            PlayResult(sent=9, accepted=6, duplicate=2, rejected=1), ["9 events were sent, not 10"], id="not all sent"
        ),
        pytest.param(
            PlayResult(sent=10, accepted=6, duplicate=2, rejected=2), ["2 events were rejected, not 1"], id="rejected"
        ),
        pytest.param(
            PlayResult(sent=10, accepted=6, duplicate=2, rejected=1),
            ["9 events were answered, of 10 sent"],
            id="one without an answer",
        ),
    ],
)
def test_answers_that_differ_from_the_input_are_named(result: PlayResult, complaints: list[str]) -> None:
    assert unexpected(Played(), result) == complaints


def test_figures_hold_counts_speed_latency_and_restarts() -> None:
    result = PlayResult(sent=1200, accepted=1190, duplicate=7, rejected=3, seconds=2.0)
    text = shown(figures(result, [alert(0.5), alert(1.5)], {"scoring": 2}))
    for part in (
        "1,200 sent in 2.0 s",
        "7 repeated, 3 rejected",
        "600 events/s",
        "p50 0.50 s, p99 1.50 s",
        "scoring 2×",
    ):
        assert part in text


def said(n: int, seconds: float, *, received: float = 0, withdraws: bool = False) -> Mail:
    """The mail of a student's message `n`, `seconds` after the morning; its event came `received` seconds after it."""
    mail = alert(seconds, n)
    return replace(
        mail,
        event_received=MORNING + timedelta(seconds=received),
        withdraws="p_x:1" if withdraws else None,
        message_id=f"<p_{'a' * 26}.{n}@localhost>",
    )


def test_withdrawals_and_what_waited_behind_them_have_times_of_their_own() -> None:
    behind, later = said(3, 5.5, received=0.5), said(4, 9.2, received=9.0)
    text = shown(figures(PlayResult(), [said(1, 0.5), said(2, 5.4, withdraws=True), behind, later], {}))
    lines = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "2 mails; from event to mail p50 0.20 s, p99 0.50 s" in lines["Changes of level"]
    told = " ".join(text.split())
    assert "2 mails; from event to mail p50 5.00 s, p99 5.40 s, some seconds of it waited on purpose; 1 of them" in told


def test_only_the_first_alerts_are_shown_as_the_coach_reads_them() -> None:
    panels = alerts_shown([alert(1.0, number) for number in range(1, ALERTS_SHOWN + 2)])
    text = shown(*panels)
    assert len(panels) == ALERTS_SHOWN
    assert "To: coach@example.org" in text
    assert "Subject: Alert 1 " in text


def test_units_are_shown_with_their_levels() -> None:
    unit = {
        "school_unit": "Norra",
        "active": 9,
        "levels": {"universal": {"students": 5}, "targeted": {"students": 3}},
        "without_data": 1,
        "ended": 2,
    }
    rows = [line for line in shown(units_table([unit, {**unit, "school_unit": None}])).splitlines() if "9" in line]
    assert [cell.strip() for cell in rows[0].split("│")[1:-1]] == ["Norra", "9", "5", "3", "0", "1", "2"]
    assert "(not shown)" in rows[1]


def test_the_password_is_told_in_a_terminal_and_not_in_a_file(tmp_path: Path) -> None:
    secrets = Secrets({}, "key", "token", "open-sesame")
    assert "open-sesame" in shown(addresses(Ports(8080), secrets, tmp_path, is_kept=False))
    kept = shown(addresses(Ports(8080), secrets, Path("var/up"), is_kept=True))
    assert "open-sesame" not in kept
    assert "`viewer_password` in var/up/secrets.json" in kept
