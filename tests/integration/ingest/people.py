"""Events about invented people, each with ids that no other test uses."""

from __future__ import annotations

import itertools
from typing import Any

from tests.integration.ingest.stage import new_id, now
from tests.unit.ingest import builders
from tests.unit.ingest.builders import attendance, person, source

_taken = itertools.count(1)


def number(born: str = "20090101", *, temporary: bool = False) -> str:
    """A national id that no other test uses."""
    return f"{born}{f'T{next(_taken):03}' if temporary else f'{next(_taken):04}'}"


def lesson(student: str, system: str = "test") -> dict[str, Any]:
    return attendance(student, now=now(), id=new_id(), source=source(system))


def place(student: str, system: str = "test", *references: Any, **changes: Any) -> dict[str, Any]:
    """An enrolment with a person; names and `national_id` go to the person, the rest to the data."""
    own = {name: changes.pop(name) for name in ("given_name", "family_name", "national_id") if name in changes}
    data = {"starts_on": now().date().isoformat(), "person": person(*references, **own), **changes}
    return builders.enrolment(student, data=data, id=new_id("enrolment"), source=source(system))


def coach(staff_id: str, name: str, email: str, system: str = "test") -> dict[str, Any]:
    return builders.staff(staff_id, data={"name": name, "email": email}, id=new_id("staff"), source=source(system))
