"""Everything in every contract and in every parameter of an interface has a bound, and the schemas say what the contracts do."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from deploy.documents import documents
from shared.events import values as kinds
from shared.events.door import NamedReference, OwnStaffId, Source
from shared.events.envelope import EventId
from shared.events.staff import Address

Schema = Mapping[str, Any]
BOUNDED_BY = {
    "integer": ({"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}),
    "number": ({"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}),
    "string": ({"maxLength", "enum", "const"},),
    "array": ({"maxItems"}, {"items"}),
}
"""By type: of each of these sets one word at least."""
SETTLED = ("$ref", "anyOf", "oneOf", "allOf", "enum", "const")


def unbounded(schema: Schema, path: str) -> Iterator[str]:
    """Where a schema lets in something without an end."""
    kind = schema.get("type")
    if kind is None and not any(word in schema for word in SETTLED):
        yield f"{path}: anything at all"
    if kind == "object":
        yield from _of_object(schema, path)
    elif kind in BOUNDED_BY:
        for words in BOUNDED_BY[kind]:
            if not words & schema.keys():
                yield f"{path}: {kind} without {' or '.join(sorted(words))}"
    for word in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(word, ()):
            yield from unbounded(each, path)
    if isinstance(schema.get("items"), Mapping):
        yield from unbounded(schema["items"], f"{path}[]")


def _of_object(schema: Schema, path: str) -> Iterator[str]:
    """Unknown fields of an event are dropped; an object whose fields all have free names is bounded by their number."""
    named = schema.get("properties", {})
    free = [*schema.get("patternProperties", {}).values()]
    if isinstance(schema.get("additionalProperties"), Mapping):
        free.append(schema["additionalProperties"])
    if not named and not (free and "maxProperties" in schema and "maxLength" in schema.get("propertyNames", {})):
        yield f"{path}: names without maxProperties and propertyNames"
    for name, each in named.items():
        yield from unbounded(each, f"{path}.{name}")
    for each in free:
        yield from unbounded(each, f"{path}.*")


DOCUMENTS = documents()
CONTRACTS = [name for name in DOCUMENTS if name.startswith("contracts/")]
INTERFACES = [name for name in DOCUMENTS if name.startswith("openapi/")]


@pytest.mark.parametrize("name", CONTRACTS)
def test_everything_in_a_contract_has_a_bound(name: str) -> None:
    schema = DOCUMENTS[name]
    parts = {"$": schema, **{f"${part}": each for part, each in schema["$defs"].items()}}
    assert [found for path, part in parts.items() for found in unbounded(part, path)] == []


@pytest.mark.parametrize("name", INTERFACES)
def test_every_parameter_of_an_interface_has_a_bound(name: str) -> None:
    operations = [(path, each) for path, item in DOCUMENTS[name]["paths"].items() for each in item.values()]
    parameters = [
        (f"{path} {one['name']}", one["schema"]) for path, each in operations for one in each.get("parameters", ())
    ]
    assert [found for path, schema in parameters for found in unbounded(schema, path)] == []


@pytest.mark.parametrize("name", INTERFACES)
def test_every_refusal_of_an_interface_is_a_problem(name: str) -> None:
    operations = [(path, each) for path, item in DOCUMENTS[name]["paths"].items() for each in item.values()]
    told = [
        (path, status, list(answer.get("content", {})))
        for path, each in operations
        if path != "/health/ready"  # which tells what is missing, as a program that watches reads it
        for status, answer in each["responses"].items()
        if int(status) >= 400
    ]
    assert [each for each in told if each[2] != ["application/problem+json"]] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 0},
        {"type": "number", "maximum": 1},
        {"type": "string", "pattern": "^x*$"},
        {"type": "string", "format": "date-time"},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "array", "maxItems": 3, "items": {"type": "integer"}},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        {"type": "object", "properties": {"x": {}}},
    ],
    ids=json.dumps,
)
def test_what_has_no_bound_is_found(schema: Schema) -> None:
    assert list(unbounded(schema, "$"))


TEXTS: dict[str, Any] = {
    "code": kinds.Code,
    "reference": kinds.StudentReference,
    "named reference": NamedReference.model_fields["id"].rebuild_annotation(),
    "staff id": kinds.StaffId,
    "own staff id": OwnStaffId,
    "group or unit": kinds.GroupOrUnit,
    "event id": EventId,
    "source": Source,
    "name": kinds.Name,
    "address": Address,
    "authority": kinds.Authority,
    "pseudonym": kinds.Pseudonym,
    "alert id": kinds.AlertId,
    "ascii": kinds.Ascii,
    "word": kinds.Word,
    "day": kinds.Day,
    "time": kinds.Time,
}
FORMATS = jsonschema.FormatChecker(["date"])
WORDS = "id: staff: group: unit: civic:200801032384 ss12000: /authorities/2480/systems/ a å 語 𝒳 @ . .. :3 Z T08:00:00 +23:59"
DAYS = "2026-02-29 2024-02-29 1900-01-01 2199-12-31 1899-12-31 0001-01-01 t24:00:00 1764061200 .1234567890"
INVISIBLE = " \u00a0\n\u0000\u00ad\u200b\u200d\u2028\u3164\ufeff\u0662"
LONG = ("x" * 126, "p_" + "a" * 26)
pieces = st.sampled_from([*WORDS.split(), *DAYS.split(), *INVISIBLE, *LONG])
texts = st.one_of(
    st.lists(pieces, max_size=5).map("".join), st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=12)
)


@pytest.mark.parametrize("kind", TEXTS)
@given(text=texts)
def test_a_text_is_accepted_where_its_schema_allows_it_and_nowhere_else(kind: str, text: str) -> None:
    assume(not text.endswith("\n"))  # before which Python's `$` matches, too
    adapter = TypeAdapter[Any](TEXTS[kind])
    schema = adapter.json_schema()
    is_allowed = jsonschema.Draft202012Validator(schema, format_checker=FORMATS).is_valid(text)
    if is_allowed and kind == "time":
        is_allowed = FORMATS.conforms(text[:10], "date")
    try:
        adapter.validate_json(json.dumps(text), strict=True)
        is_accepted = True
    except ValidationError as error:
        # What JSON Schema cannot say may be refused beside what it says.
        is_accepted = is_allowed and re.search("bytes|NFC", error.errors()[0]["msg"]) is not None
    assert is_accepted == is_allowed, text


def test_nobody_can_see_what_no_code_may_hold() -> None:
    """The categories of Unicode are the rule; the classes of the regular expressions are written from it."""
    code, name = TypeAdapter[str](kinds.Code), TypeAdapter[str](kinds.Name)
    for letter in map(chr, range(0x110000)):
        category = unicodedata.category(letter)
        if category in {"Cc", "Cf", "Zl", "Zp"}:
            with pytest.raises(ValidationError):
                code.validate_python(f"a{letter}b")
            if letter not in "\u200c\u200d":
                with pytest.raises(ValidationError):
                    name.validate_python(f"a{letter}b")
        elif category in {"Lu", "Ll", "Lt", "Nd", "Zs"}:
            assert code.validate_python(f"a{letter}b")
            assert name.validate_python(f"a{letter}b")


TIMES = [
    ("2026-11-26T08:00:00+01:00", True),
    ("2026-11-26t08:00:00.123456789z", True),
    ("1900-01-01T00:00:00+23:59", True),
    ("2199-12-31T23:59:59-23:59", True),
    ("1899-12-31T23:59:59Z", False),
    ("2200-01-01T00:00:00Z", False),
    ("0001-01-01T00:00:00+14:00", False),
    ("9999-12-31T23:59:59-12:00", False),
    ("2026-11-26T08:00:00", False),
    ("2026-11-26T08:00Z", False),
    ("2026-11-26 08:00:00Z", False),
    ("2026-11-26T08:00:00+0100", False),
    ("2026-11-26", False),
    ("1764061200", False),
    (1764061200, False),
    (1764061200.5, False),
    ("٢٠٢٦-11-26T08:00:00Z", False),
    ("2026-02-30T08:00:00Z", False),
    (None, False),
]


@pytest.mark.parametrize(("time", "is_one"), TIMES, ids=[str(time) for time, _ in TIMES])
def test_a_time_is_what_rfc_3339_says_of_a_year_in_reach(time: object, is_one: bool) -> None:
    adapter = TypeAdapter[Any](kinds.Time)
    if is_one:
        assert adapter.validate_json(json.dumps(time), strict=True).utcoffset() is not None
    else:
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(time), strict=True)


@pytest.mark.parametrize(
    ("number", "is_one"), [(60, True), (60.0, True), (60.5, False), ("60", False), (True, False), (1e300, False)]
)
def test_a_whole_number_is_one_however_it_is_written(number: object, is_one: bool) -> None:
    adapter = TypeAdapter[int](kinds.Count)
    if is_one:
        assert adapter.validate_json(json.dumps(number), strict=True) == 60
    else:
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(number), strict=True)
