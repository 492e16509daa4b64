"""What the demo shows at its end: alerts as coaches got them, levels by school unit, speed, addresses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.local.layout import ENVIRONMENT_FILE, SERVICES, VIEWER
from shared.events import Level
from shared.wording import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deploy.demo.player import PlayResult
    from deploy.local.layout import Ports, Secrets
    from deploy.local.mails import Mail

ALERTS_SHOWN = 3
LEVELS = tuple(Level)


def alerts_shown(alerts: Sequence[Mail]) -> list[Panel]:
    """The first alerts, as the coach reads them."""
    return [
        Panel(Text(f"To: {mail.recipient}\nSubject: {mail.subject}\n\n{mail.text}"), title="Alert", title_align="left")
        for mail in alerts[:ALERTS_SHOWN]
    ]


def units_table(units: Sequence[Mapping[str, Any]]) -> Table:
    """Active students by level in each school unit, as reporting answers."""
    table = Table(title="Students by level of prevention", title_justify="left")
    table.add_column("School unit", no_wrap=True)
    for heading in ("active", *LEVELS, "without data", "left"):
        table.add_column(heading, justify="right")
    for unit in units:
        levels = [unit["levels"].get(level, {"students": 0})["students"] for level in LEVELS]
        numbers = [unit["active"], *levels, unit["without_data"], unit["ended"]]
        table.add_row(unit["school_unit"] or "(not shown)", *map(str, numbers))
    return table


def worse_groups(signals: Sequence[Mapping[str, Any]]) -> Group:
    """Groups and units that worsen together, a line for each indicator, as reporting answers."""
    lines = [
        Text("  " + ENGLISH.sentence(f"group_{signal['indicator']}", signal["numbers"], signal["subject"]))
        for signal in signals
    ]
    return Group(Text("Groups that worsen together", style="italic"), *(lines or [Text("  none at present")]), "")


def figures(result: PlayResult, alerts: Sequence[Mail], restarts: Mapping[str, int]) -> Table:
    """Counts and speeds of a run. `alerts`: all mails about levels.

    Withdrawals have a line of their own: each waits some seconds on purpose, for others of the same correction; so does a
    change of level that came meanwhile, since mails about a student go out in their order.
    """
    table = _two_columns()
    answers = f"{result.accepted:,} accepted, {result.duplicate:,} repeated, {result.rejected:,} rejected"
    table.add_row("Events", f"{result.sent:,} sent in {result.seconds:.1f} s: {answers}")
    table.add_row(
        "Throughput",
        f"{result.sent / max(result.seconds, 0.001):,.0f} events/s, each day worked off before the next begins",
    )
    withdrawals = [mail for mail in alerts if mail.withdraws is not None]
    changes = [mail for mail in alerts if mail.withdraws is None]
    by_alert = {mail.alert: mail for mail in withdrawals}
    behind = [mail for mail in changes if _waited_behind(mail, by_alert)]
    table.add_row("Changes of level", _mailed([mail for mail in changes if mail not in behind]))
    patient = ", some seconds of it waited on purpose" if withdrawals else ""
    patient += f"; {len(behind)} of them changes right behind a withdrawal" if behind else ""
    table.add_row("Withdrawals", _mailed([*withdrawals, *behind]) + patient)
    if restarts:
        table.add_row("Restarted", ", ".join(f"{name} {count}×" for name, count in restarts.items()))
    return table


def addresses(ports: Ports, secrets: Secrets, folder: Path, *, is_kept: bool) -> Table:
    """Where to look. `is_kept`: it goes to a file, which is no place for a password."""
    password = f"`viewer_password` in {folder}/secrets.json" if is_kept else secrets.viewer_password
    service = {name: ports.url(ports.service(name)) for name in SERVICES}
    table = _two_columns()
    table.add_row("Views", f"{service['reporting']}/  user {VIEWER}, password {password}")
    table.add_row("Mails", f"{ports.url(ports.mail_pages)}/  and as files in {folder}/mail")
    table.add_row("APIs", f"{service['ingest']}/openapi.json  {service['reporting']}/openapi.json")
    table.add_row("Metrics", "  ".join(f"{url}/metrics" for url in service.values()))
    table.add_row("RabbitMQ", f"{ports.url(ports.broker.management)}/  user guest, password guest")
    table.add_row("Commands", f". {folder}/{ENVIRONMENT_FILE}; .venv/bin/kvar explain p_…  (as the views show it)")
    table.add_row("Logs", f"{folder}/log")
    return table


def _waited_behind(change: Mail, withdrawals: Mapping[tuple[str, int] | None, Mail]) -> bool:
    """Whether a change came before the withdrawal that stands before it had been mailed."""
    if change.alert is None or change.event_received is None:
        return False
    student, number = change.alert
    before = withdrawals.get((student, number - 1))
    return before is not None and change.event_received < before.arrived


def _mailed(mails: Sequence[Mail]) -> str:
    """How many, and how fast."""
    seconds = sorted(mail.latency_seconds for mail in mails if mail.latency_seconds is not None)
    if not seconds:
        return "no mails"
    middle, slow = percentile(seconds, 50), percentile(seconds, 99)
    return f"{len(mails)} mails; from event to mail p50 {middle:.2f} s, p99 {slow:.2f} s"


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of ordered values, of which there is one at least."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _two_columns() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table
