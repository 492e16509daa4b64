"""`staff.changed.v1`: an adult who may be told about students. Goes to notify alone."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.events.envelope import Code, Fact


class StaffRole(StrEnum):
    """What the person does at the school or authority."""

    COACH = "coach"
    COORDINATOR = "coordinator"
    PRINCIPAL = "principal"
    ANALYST = "analyst"
    OPERATOR = "operator"


class StaffChanged(Fact):
    """A member of staff. Key: subject `staff:…`. `scope` holds codes of the school units and groups in their charge."""

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    roles: list[StaffRole] = Field(strict=False, max_length=10)
    scope: list[Code] = Field(default_factory=list, max_length=1000)
    language: Literal["sv", "en"] = "sv"
    active: bool = True
