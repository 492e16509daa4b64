"""Long texts in Unicode NFC: what everybody writes becomes what Unicode says, and nothing takes long."""

from __future__ import annotations

import time
import unicodedata

import pytest

from services.ingest.bodies import LONGEST_ITEM
from services.ingest.composing import MOST_MARKS, in_nfc

ABOVE, BELOW = "\u0300", "\u0316"
FILLING = LONGEST_ITEM // len((ABOVE + BELOW).encode())
SECONDS = 2.0


@pytest.mark.parametrize(
    "text",
    [
        "ascii",
        "o\u0308stra a\u030a",
        "\u1112\u1161\u11ab",
        "\u0958 \ufb2c \u212b",
        "\u1e9b\u0323 q\u0307\u0323",
        "e" + (BELOW + ABOVE) * (MOST_MARKS // 2),
    ],
)
def test_is_nfc(text: str) -> None:
    assert in_nfc(text) == unicodedata.normalize("NFC", text)


def test_what_stands_around_a_run_of_marks_is_composed() -> None:
    run = (ABOVE + BELOW) * MOST_MARKS
    assert in_nfc(f"o\u0308.e{run}a\u030a") == f"\u00f6.e{run}\u00e5"


@pytest.mark.parametrize("number", range(MOST_MARKS // 2 - 2, MOST_MARKS))
@pytest.mark.parametrize("before", range(0, MOST_MARKS + 2, 7))
def test_every_run_beyond_the_bound_is_found_wherever_it_stands(before: int, number: int) -> None:
    text = "x" * before + (ABOVE + BELOW) * number
    is_left = 2 * number > MOST_MARKS
    assert (in_nfc(text) == text) is is_left
    assert in_nfc(text + "o\u0308") == (text if is_left else unicodedata.normalize("NFC", text)) + "\u00f6"


@pytest.mark.parametrize(
    "text",
    [
        "a" + ABOVE * FILLING + BELOW * FILLING,
        "a" + (ABOVE + BELOW) * FILLING,
        "\u0f73" * FILLING + ABOVE * FILLING,
        ("e" + (ABOVE + BELOW) * (MOST_MARKS // 2)) * (2 * FILLING // MOST_MARKS),
    ],
    ids=["out of order", "alternating", "marks of two marks", "short runs"],
)
def test_the_longest_event_takes_no_time(text: str) -> None:
    began = time.process_time()
    in_nfc(text)
    assert time.process_time() - began < SECONDS
