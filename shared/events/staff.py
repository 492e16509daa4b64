"""`staff.changed.v1`: an adult who may be told about students. Goes to notify alone."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from shared.events.envelope import Code, Fact, Name, spelt_once

Address = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"), spelt_once(254)]
"""An e-mail address."""


class StaffRole(StrEnum):
    """What the person does at the school or authority."""

    COACH = "coach"
    COORDINATOR = "coordinator"
    PRINCIPAL = "principal"
    ANALYST = "analyst"
    OPERATOR = "operator"


class StaffChanged(Fact):
    """A member of staff. Key: subject `staff:…`. `scope` holds codes of the school units and groups in their charge."""

    name: Name = Field(min_length=1)
    email: Address
    roles: list[StaffRole] = Field(strict=False, max_length=10)
    scope: list[Code] = Field(default_factory=list, max_length=1000)
    language: Literal["sv", "en"] = "sv"
    active: bool = True

    @field_validator("name")
    @classmethod
    def _has_a_name(cls, value: str) -> str:
        if not value:
            raise PydanticCustomError("no_name", "a name")
        return value
