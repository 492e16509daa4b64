"""The wall clock: what wires a service hands it in, so that everything else gets its time as a parameter."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, in UTC. It decides when something is repeated, forgotten or told, and which day it is; never what a fact says."""
    return datetime.now(UTC)
