"""Events about who somebody is, as the core of ingest gets them."""

from __future__ import annotations

from typing import Any

from services.ingest.identities import Entrant
from shared.events import read_door_event
from tests.unit.ingest.builders import attendance, enrolment, person, staff

MAJA, TEMPORARY, COORDINATION, OMAR = "200901012384", "20090101TF12", "200901612384", "200902022386"
"""Three numbers of one birth date, and another person's."""


def lesson(reference: str, space: str = "sis") -> Entrant:
    return Entrant(read_door_event(attendance(reference)), space)


def place(
    reference: str,
    *references: Any,
    number: str | None = None,
    space: str = "sis",
    confirmed: bool = False,
    **fields: Any,
) -> Entrant:
    """An enrolment with a person; `fields`: names, or data of the enrolment."""
    names = {name: fields.pop(name) for name in ("given_name", "family_name") if name in fields}
    who = person(*references, national_id=number, **names)
    return Entrant(read_door_event(enrolment(reference, data={"person": who, **fields})), space, confirmed)


def coach(name: str, email: str, *, revision: int = 1, space: str = "sis", confirmed: bool = False) -> Entrant:
    item = staff("staff:12", data={"name": name, "email": email, "revision": revision})
    return Entrant(read_door_event(item), space, confirmed)
