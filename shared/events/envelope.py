"""The CloudEvents 1.0 envelope that every message wears, and what all facts have in common."""

import hashlib
import unicodedata
from typing import Annotated, Any, Generic, Literal, TypeVar

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from shared.errors import FieldError

MAX_REVISION = 2**53 - 1
FOUND_LENGTH = 80

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control and format characters, surrogates, separators of lines and paragraphs."""
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(n) for n in range(0xFE00, 0xFE10)}
"""Fillers, joiners and variation selectors that Unicode counts among letters, marks and symbols, and nobody sees."""


def _spelt_once(text: str, longest: int, *, has_prefix: bool) -> str:
    if any(unicodedata.category(one) in _UNPRINTABLE or one in _BLANK_LETTERS for one in text):
        raise PydanticCustomError("control_character", "no control or invisible characters")
    parts = (text, text.partition(":")[2]) if has_prefix else (text,)
    if any(part != part.strip() for part in parts):
        raise PydanticCustomError("blank_at_the_end", "no blanks at the beginning or end")
    return _in_nfc(text, longest)


def _in_nfc(text: str, longest: int) -> str:
    """Some characters become several: what is read behind the door must be as short as what was let in."""
    normal = unicodedata.normalize("NFC", text)
    if len(normal) > longest:
        raise PydanticCustomError("too_long", "at most {longest} characters in Unicode NFC", {"longest": longest})
    return normal


def spelt_once(longest: int, *, has_prefix: bool = False) -> AfterValidator:
    """For every code and id, since two spellings of one school are one school: in Unicode NFC, nothing in it that cannot be seen.

    Refuses control characters, blanks at either end (with `has_prefix` also after the colon of `id:`), and what is longer.
    """
    return AfterValidator(lambda text: _spelt_once(text, longest, has_prefix=has_prefix))


_JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: invisible, and letters of names in several scripts are written with them."""


def _as_written(text: str) -> str:
    """A name in Unicode NFC, without blanks at both ends.

    Raises:
        PydanticCustomError: a control character.
    """
    trimmed = text.strip()
    if any(unicodedata.category(one) in _UNPRINTABLE and one not in _JOINERS for one in trimmed):
        raise PydanticCustomError("control_character", "no control or invisible characters")
    seen = any(one not in _BLANK_LETTERS and one not in _JOINERS for one in trimmed)
    return _in_nfc(trimmed, LONGEST_NAME) if seen else ""


LONGEST_NAME = 200
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME), AfterValidator(_as_written)]
"""A person's name in Unicode NFC, without blanks at both ends; may be empty."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=128), spelt_once(128)]
"""A code of the source system (school unit, group, course), in Unicode NFC."""

StudentReference = Annotated[
    str,
    StringConstraints(pattern=r"^(id:.{1,200}|civic:[0-9]{8}[0-9A-Z]{4}|ss12000:[0-9a-fA-F-]{36})$"),
    spelt_once(203, has_prefix=True),
]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^p_[a-z2-7]{26}$")]
StaffId = Annotated[str, StringConstraints(pattern=r"^staff:.{1,300}$"), spelt_once(306, has_prefix=True)]
"""At the door the publisher's own id; behind it `staff:SPACE/ID`, unique in the authority."""
GroupOrUnit = Annotated[str, StringConstraints(pattern=r"^(group|unit):.{1,200}$"), spelt_once(206, has_prefix=True)]


class Contract(BaseModel):
    """Base of all contract models: wrong types are errors, unknown fields are left for newer readers."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, use_enum_values=False)


class Fact(Contract):
    """A versioned statement of a source: of several with one business key the one of highest `precedence` is valid."""

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
    publisher's own. Stamped by ingest: `recordedtime`, the time of receipt, by which "known at T" is answered; `under`, of
    a fact about a student, the keyed hash of the reference under which it came.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=255), spelt_once(255)]
    source: Annotated[
        str, Field(min_length=1, max_length=255, description="/authorities/2480/systems/NAME"), spelt_once(255)
    ]
    type: str
    subject: str
    time: AwareDatetime = Field(description="when the source recorded it")
    authority: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = None
    recordedtime: AwareDatetime | None = None
    under: str | None = Field(default=None, max_length=64)
    traceparent: str | None = Field(default=None, max_length=64)
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
