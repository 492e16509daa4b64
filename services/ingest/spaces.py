"""Where a publisher's `id:` references and `staff:` ids live: two systems that number from 1 mean two students by `id:1`.

By default each system is a space of its own. Settings of an authority may put several systems into one space, and give a
system the right to name another space.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from shared.errors import FieldError
from shared.events import DoorEnrolmentChanged
from shared.events.door import SPACE, AnyReference, AnyStaffId, DoorEvent, NamedReference, NamedStaffId

_SOURCE = re.compile(rf"/authorities/([^/\s]+)/systems/({SPACE})(?:/\S*)?")


def system_of(authority: str, source: str) -> str | None:
    """The system that a source names; None when it names none of this authority's."""
    found = _SOURCE.fullmatch(source)
    return found[2] if found is not None and found[1] == authority else None


@dataclass(frozen=True, slots=True)
class Spaces:
    """The spaces of all authorities.

    Attributes:
        shared: Authority to system to the space that it has been put into.
        namers: Authority to the systems that may name a space that is not their own.
    """

    shared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    namers: Mapping[str, Collection[str]] = field(default_factory=dict)

    def of(self, authority: str, system: str) -> str:
        """The space of a system."""
        return self.shared.get(authority, {}).get(system, system)

    def of_event(self, event: DoorEvent) -> str:
        """The space of an event's source, which `checks` has seen to be one."""
        return self.of(event.authority, system_of(event.authority, event.source) or "")

    def faults(self, event: DoorEvent) -> list[FieldError]:
        """The spaces that the publisher names without the right to."""
        system = system_of(event.authority, event.source)
        if system is None or system in self.namers.get(event.authority, ()):
            return []
        own = self.of(event.authority, system)
        return [
            FieldError(f"{path}.space", f'"{named.space}"', f"{own}: this system has no right to name another space")
            for path, named in _named(event)
            if named.space != own
        ]


def _named(event: DoorEvent) -> Iterator[tuple[str, NamedReference | NamedStaffId]]:
    if not isinstance(event.data, DoorEnrolmentChanged):
        return
    places: list[tuple[str, AnyReference | AnyStaffId | None]] = [("$.data.coach", event.data.coach)]
    places += [(f"$.data.coaches[{n}]", coach) for n, coach in enumerate(event.data.coaches)]
    if event.data.person is not None:
        places += [(f"$.data.person.references[{n}]", one) for n, one in enumerate(event.data.person.references)]
    for path, one in places:
        if isinstance(one, NamedReference | NamedStaffId):
            yield path, one


def in_space(reference: AnyReference | AnyStaffId, space: str) -> tuple[str, str]:
    """A reference's space and id. `space`: the publisher's, where none is named."""
    return (space, reference) if isinstance(reference, str) else (reference.space, reference.id)


def staff_id(staff: AnyStaffId, space: str) -> str:
    """What a member of staff is called behind the door: `staff:SPACE/ID`, unique in the authority."""
    where, own = in_space(staff, space)
    return f"staff:{where}/{own.removeprefix('staff:')}"
