"""`staff.changed.v1`: an adult who may be told about students. Goes to notify alone."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.events.envelope import Fact
from shared.events.values import INVISIBLE, Code, FullName, InAll, Spelt

_PART = rf"[^@\s{INVISIBLE}]{{1,252}}"
Address = Annotated[str, Spelt(254, f"^{_PART}@{_PART}$", "an e-mail address", longest_bytes=254)]
"""An e-mail address. Mail systems count its bytes (RFC 5321, 4.5.3.1.3)."""


class StaffRole(StrEnum):
    """What the person does at the school or authority."""

    COACH = "coach"
    COORDINATOR = "coordinator"
    PRINCIPAL = "principal"
    ANALYST = "analyst"
    OPERATOR = "operator"


class StaffChanged(Fact):
    """A member of staff. Key: subject `staff:…`. `scope` holds codes of the school units and groups in their charge."""

    name: FullName
    email: Address
    roles: list[StaffRole] = Field(strict=False, max_length=10)
    scope: Annotated[list[Code], InAll(64 * 1024)] = Field(
        default_factory=list, max_length=1000, description="64 KiB in UTF-8 at most in all"
    )
    language: Literal["sv", "en"] = "sv"
    active: bool = True
