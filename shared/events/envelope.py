"""The CloudEvents 1.0 envelope that every message wears, and what all facts have in common."""

import hashlib
from typing import Annotated, Any, Generic, Literal, TypeVar

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import FieldError

MAX_REVISION = 2**53 - 1
FOUND_LENGTH = 80

Code = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""A code of the source system (school unit, group, course, staff), kept as the source writes it."""

StudentReference = Annotated[
    str, StringConstraints(pattern=r"^(id:.{1,200}|civic:\d{8}[0-9A-Z]{4}|ss12000:[0-9a-fA-F-]{36})$")
]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^p_[a-z2-7]{26}$")]
StaffId = Annotated[str, StringConstraints(pattern=r"^staff:.{1,200}$")]
GroupOrUnit = Annotated[str, StringConstraints(pattern=r"^(group|unit):.{1,200}$")]


class Contract(BaseModel):
    """Base of all contract models: wrong types are errors, unknown fields are left for newer readers."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, use_enum_values=False)


class Fact(Contract):
    """A versioned statement of a source. The highest `revision` wins; see `content_digest` for ties."""

    revision: int = Field(
        ge=0, le=MAX_REVISION, description="normally the source's time of modification in milliseconds"
    )


class StudentFact(Fact):
    """A fact about one student, made at one school unit."""

    school_unit: Code = Field(description="code of the school unit")


DataT = TypeVar("DataT", bound=Contract)


class Envelope(Contract, Generic[DataT]):
    """CloudEvents 1.0, structured JSON mode.

    `source` + `id` is unique: the same pair again is a repetition, not news. `authority` is the tenant and must be the
    publisher's own. `recordedtime` is stamped by ingest: the time of receipt, by which "known at T" is answered.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1, max_length=255)
    source: str = Field(min_length=1, max_length=255, description="/authorities/2480/systems/NAME")
    type: str
    subject: str
    time: AwareDatetime = Field(description="when the source recorded it")
    authority: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = None
    recordedtime: AwareDatetime | None = None
    traceparent: str | None = Field(default=None, max_length=64)
    data: DataT

    def encode(self) -> bytes:
        """The message as it goes over the broker: JSON in UTF-8, absent fields left out."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, the same bytes for the same content on every machine."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content_digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON; of two facts with the same revision the one with the greater digest wins."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _found(value: object) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= FOUND_LENGTH else text[: FOUND_LENGTH - 1] + "…"


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Pydantic's findings in our words: JSON path, what was found, what is expected."""
    return tuple(
        FieldError(
            path=_path(item["loc"]),
            found="nothing" if item["type"] == "missing" else _found(item["input"]),
            expected=item["msg"],
        )
        for item in error.errors(include_url=False)
    )
