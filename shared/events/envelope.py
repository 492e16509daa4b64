"""The CloudEvents 1.0 envelope that every message wears, and what all facts have in common."""

import hashlib
from typing import Annotated, Any, Generic, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import FieldError
from shared.events.values import Ascii, Authority, Code, Count, Spelt, Time, seen

EventId = Annotated[str, Spelt(255, f"^{seen(255)}$", "1 to 255 characters")]

FOUND_LENGTH = 80


class Contract(BaseModel):
    """Base of all contract models: wrong types are errors, unknown fields are left for newer readers."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, use_enum_values=False, allow_inf_nan=False)


class Fact(Contract):
    """A versioned statement of a source: of several with one business key the one of highest `precedence` is valid."""

    revision: Count = Field(description="normally the source's time of modification in milliseconds")


class StudentFact(Fact):
    """A fact about one student, made at one school unit."""

    school_unit: Code = Field(description="code of the school unit")


DataT = TypeVar("DataT", bound=Contract)


class Envelope(Contract, Generic[DataT]):
    """CloudEvents 1.0, structured JSON mode.

    `source` + `id` is unique: the same pair again is a repetition, not news. `authority` is the tenant and must be the
    publisher's own. Stamped by ingest: `recordedtime`, the time of receipt, by which "known at T" is answered; `under`, of
    a fact about a student, the keyed hash of the reference under which it came.
    """

    specversion: Literal["1.0"] = "1.0"
    id: EventId
    source: Annotated[str, Spelt(255, f"^{seen(255)}$", "1 to 255 characters")] = Field(
        description="/authorities/2480/systems/NAME"
    )
    type: str
    subject: str
    time: Time = Field(description="when the source recorded it")
    authority: Authority
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Ascii | None = None
    recordedtime: Time | None = None
    under: Ascii | None = None
    traceparent: Ascii | None = None
    data: DataT

    def encode(self) -> bytes:
        """The message as it goes over the broker: JSON in UTF-8, absent fields left out."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, the same bytes for the same content on every machine."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content_digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


Precedence = tuple[int, str]
"""Revision, then digest of the content: compared as tuples, the greater one is valid."""


def precedence(fact: Fact) -> Precedence:
    """Which of several versions of one fact is valid: the same for every reader, in whatever order they arrive.

    The highest revision; on a tie the greater SHA-256 (hex) of the canonical JSON of `data` without absent fields.
    """
    return fact.revision, content_digest(fact.model_dump(mode="json", exclude_none=True))


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
