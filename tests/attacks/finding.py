"""A row of the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what came out and what it should be, for people to read; and whether it was so."""

    what: str
    measured: str
    aim: str
    is_held: bool
