"""What contracts are made of: every kind of text, number, day and time, each with a bound that everything behind can hold.

What has to hold them: BSON's integers of 64 bits and documents of 16 MiB, readers of JSON that keep whole numbers up to 2^53 − 1,
a calendar that has the years 1 to 9999 in every time zone. (AMQP's ids of messages hold 255 bytes: of an event's longer id the
broker bears a digest.) The bounds stand in the JSON Schemas as far as JSON Schema can say them; what it cannot say, how long a
text is in Unicode NFC or in bytes and a list as a whole, stands in their descriptions.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MOST = 2**53 - 1
"""No whole number is larger."""
LONGEST_NAME = 200

_CONTROL = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
"""Control and format characters, separators of lines and paragraphs (Unicode Cc, Cf, Zl, Zp), but for joiners."""
_JOINERS = r"\u200c\u200d"
"""Zero-width non-joiner and joiner: invisible, and letters of names in several scripts are written with them."""
_BLANK = r"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0"
"""Fillers, joiners and variation selectors that Unicode counts among letters, marks and symbols, and nobody sees."""
_BEYOND = (
    r"\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0001\U000e0020-\U000e007f"
)
"""Surrogates, and what lies beyond 16 bits: the languages that read JSON Schemas do not write these alike."""
INVISIBLE = _CONTROL + _JOINERS + _BLANK
"""What no code or id may hold, as it stands in a class of a regular expression."""

_INVISIBLE = re.compile(f"[{INVISIBLE}{_BEYOND}]")
_CONTROL_IN_NAMES = re.compile(f"[{_CONTROL}{_BEYOND}]")
_SEEN = re.compile(rf"[^{_JOINERS}{_BLANK}]")


def seen(longest: int) -> str:
    """A regular expression of 1 to `longest` characters that can be seen, none of them a blank at either end."""
    return rf"(?!\s)[^{INVISIBLE}]{{1,{longest}}}(?<!\s)"


def _in_nfc(text: str, longest: int) -> str:
    """Some characters become several: what is read behind the door must be as short as what was let in."""
    normal = unicodedata.normalize("NFC", text)
    if len(normal) > longest:
        raise PydanticCustomError("too_long", "at most {longest} characters in Unicode NFC", {"longest": longest})
    return normal


@dataclass(frozen=True)
class Spelt:
    """A code or id, since two spellings of one school are one school: in Unicode NFC, nothing in it that cannot be seen.

    Attributes:
        longest: Characters of the whole text.
        pattern: What it looks like, as a regular expression that JSON Schema knows.
        expected: The same in words.
        longest_bytes: In UTF-8, where something behind counts bytes.
    """

    longest: int
    pattern: str
    expected: str
    longest_bytes: int | None = None

    @cached_property
    def _looks(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic."""
        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """See pydantic."""
        return handler(schema) | {"maxLength": self.longest, "pattern": self.pattern}

    def read(self, text: str) -> str:
        """The text in NFC.

        Raises:
            PydanticCustomError: it is no such text; the message says why.
        """
        if len(text) > self.longest:
            raise PydanticCustomError("too_long", "at most {longest} characters", {"longest": self.longest})
        if text.isascii() and self._looks.fullmatch(text):
            return text  # nearly all are, and this is asked some ten times an event
        if _INVISIBLE.search(text):
            raise PydanticCustomError("control_character", "no control or invisible characters")
        if not self._looks.fullmatch(text):
            is_blank = any(part != part.strip() for part in (text, text.partition(":")[2]))
            expected = "no blanks at the beginning or end" if is_blank else self.expected
            raise PydanticCustomError("spelling", "{expected}", {"expected": expected})
        normal = _in_nfc(text, self.longest)
        if self.longest_bytes is not None and len(normal.encode()) > self.longest_bytes:
            raise PydanticCustomError("too_long", "at most {longest} bytes in UTF-8", {"longest": self.longest_bytes})
        return normal


def _as_written(text: str) -> str:
    """A name in Unicode NFC, without blanks at both ends.

    Raises:
        PydanticCustomError: a control character.
    """
    trimmed = text.strip()
    if _CONTROL_IN_NAMES.search(trimmed):
        raise PydanticCustomError("control_character", "no control or invisible characters")
    return _in_nfc(trimmed, LONGEST_NAME) if _SEEN.search(trimmed) else ""


def _not_empty(text: str) -> str:
    if not text:
        raise PydanticCustomError("no_name", "a name")
    return text


Name = Annotated[
    str,
    StringConstraints(max_length=LONGEST_NAME),
    AfterValidator(_as_written),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_NAME, "pattern": rf"^\s*[^{_CONTROL}]*\s*$"}),
]
"""A person's name in Unicode NFC, without blanks at both ends; may be empty."""

FullName = Annotated[
    str,
    StringConstraints(max_length=LONGEST_NAME),
    AfterValidator(_as_written),
    AfterValidator(_not_empty),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": LONGEST_NAME,
            "pattern": rf"^\s*[^{_CONTROL}]*[^\s{INVISIBLE}][^{_CONTROL}]*\s*$",
        }
    ),
]
"""The same, never empty."""

Code = Annotated[str, Spelt(128, rf"^(?!\.\.?$){seen(128)}$", "a code of 1 to 128 characters, neither . nor ..")]
"""A code of the source system (school unit, group, course), in Unicode NFC. No page could have `.` or `..` in its address."""

Authority = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$", max_length=32)]
"""Code of a school authority."""

StudentReference = Annotated[
    str,
    Spelt(
        203,
        rf"^(id:{seen(200)}|civic:[0-9]{{8}}[0-9A-Z]{{4}}|ss12000:[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}})$",
        "id:… of 1 to 200 characters, civic:YYYYMMDDNNNN or ss12000:UUID",
    ),
]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^p_[a-z2-7]{26}$", max_length=28)]
AlertId = Annotated[str, StringConstraints(pattern=r"^p_[a-z2-7]{26}:[0-9]{1,16}$", max_length=45)]
"""Of a change of level or its withdrawal: `{subject}:{n}`."""
StaffId = Annotated[str, Spelt(306, f"^staff:{seen(300)}$", "staff:… of 1 to 300 characters")]
"""At the door the publisher's own id; behind it `staff:SPACE/ID`, unique in the authority."""
GroupOrUnit = Annotated[
    str, Spelt(134, f"^(group|unit):{seen(128)}$", "group:… or unit:… with a code of 1 to 128 characters")
]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$", max_length=64)]
"""A name that Kvar itself gives, such as that of an indicator."""
Ascii = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$", max_length=255)]
"""A text for machines: printable ASCII without blanks."""


def _read_whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_read_whole)
"""Of whole numbers, behind their bounds: `60.0` is one, too. JSON Schema says so, and some languages write it like that."""
Count = Annotated[int, Field(ge=0, le=MOST), WHOLE]
Quantity = Annotated[int, Field(ge=-MOST, le=MOST)] | Annotated[float, Field(ge=-MOST, le=MOST)]
"""A number of a reason or signal, whole or not."""
Quantities = Annotated[dict[Word, Quantity], Field(max_length=20)]
"""Numbers by name, their units in the names."""
Points = Annotated[int, Field(ge=0, le=100)]

_YEARS = "(19|20|21)[0-9]{2}"
"""Beyond people's lives nothing is said of them; near the years 1 and 9999 a time has no date in every zone."""
_DAY = re.compile(rf"^{_YEARS}-[0-9]{{2}}-[0-9]{{2}}$")
_TIME = re.compile(
    rf"^{_YEARS}-[0-9]{{2}}-[0-9]{{2}}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,9}})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def _read_day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # such as February 30
    raise PydanticCustomError("day", "a day of the years 1900 to 2199, YYYY-MM-DD")


def _read_time(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        if _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        pass
    raise PydanticCustomError("time", "a time of the years 1900 to 2199 with offset, such as 2026-08-17T08:00:00+02:00")


Day = Annotated[
    date,
    BeforeValidator(_read_day),
    WithJsonSchema({"type": "string", "format": "date", "maxLength": 10, "pattern": _DAY.pattern}),
]
"""A day, `YYYY-MM-DD`."""
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 35, "pattern": _TIME.pattern}),
]
"""A time with its offset, as RFC 3339 writes it; digits beyond microseconds are dropped."""


@dataclass(frozen=True, slots=True)
class InAll:
    """How long the texts of a list may be together: `longest` bytes in UTF-8."""

    longest: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic."""
        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def read(self, texts: list[str]) -> list[str]:
        """The texts.

        Raises:
            PydanticCustomError: they are longer.
        """
        if sum(len(text.encode()) for text in texts) > self.longest:
            raise PydanticCustomError("too_long_in_all", "at most {longest} bytes in all", {"longest": self.longest})
        return texts


Groups = Annotated[
    list[Code], Field(max_length=100, description="codes of groups, 8 KiB in UTF-8 at most in all"), InAll(8 * 1024)
]
"""The groups of one student at one school unit: ten or so, stored and told with everything that is said of the student."""
