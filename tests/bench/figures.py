"""What a run has found: figures with their baselines, as a table and as JSON, and on what machine."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rich.table import Table

_PACKAGES = ("faststream", "aio-pika", "motor", "pydantic", "secantusdb", "uvloop")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `ratios`: it divided by baselines of the same run, by their names; what one compares."""

    kind: str
    name: str
    value: float
    unit: str
    ratios: dict[str, float] = field(default_factory=dict)
    note: str = ""


def ratio_to(value: float, **baselines: float | None) -> dict[str, float]:
    """The value divided by each baseline that was measured."""
    return {name: value / baseline for name, baseline in baselines.items() if baseline}


def machine() -> dict[str, Any]:
    """What the numbers depend on, and when they were taken."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in _PACKAGES},
    }


def as_json(machine: dict[str, Any], settings: dict[str, Any], figures: list[Figure]) -> dict[str, Any]:
    """Everything, for comparing runs."""
    return {"machine": machine, "settings": settings, "figures": [asdict(figure) for figure in figures]}


def as_table(machine: dict[str, Any], figures: list[Figure]) -> Table:
    """Everything, for reading."""
    title = f"{machine['cores']} cores, Python {machine['python']}, load {machine['load_before']} before the run"
    table = Table(title=title)
    for column in ("measured", "", "value", "unit", "ratios", "note"):
        table.add_column(column, justify="right" if column == "value" else "left")
    last = ""
    for figure in figures:
        if last and figure.kind != last:
            table.add_section()
        ratios = " · ".join(f"{value:.2f} × {name}" for name, value in figure.ratios.items())
        shown = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.1f}"
        table.add_row("" if figure.kind == last else figure.kind, figure.name, shown, figure.unit, ratios, figure.note)
        last = figure.kind
    return table
