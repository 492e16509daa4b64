"""The tables of the database's error codes agree with the driver's and with themselves."""

from __future__ import annotations

import pytest
from pymongo.helpers_shared import _NOT_PRIMARY_CODES, _REAUTHENTICATION_REQUIRED_CODE, _RETRYABLE_ERROR_CODES

from shared import mongo_codes
from shared.mongo_codes import OUTAGES, UNSTORABLE, Meaning, code_name, meaning


def test_what_drivers_try_again_is_an_outage() -> None:
    assert {*_RETRYABLE_ERROR_CODES, *_NOT_PRIMARY_CODES, _REAUTHENTICATION_REQUIRED_CODE} <= OUTAGES.keys()


def test_no_code_means_two_things() -> None:
    parts = [
        table
        for name, table in vars(mongo_codes).items()
        if isinstance(table, dict) and name.startswith("_") and not name.startswith("__")
    ]
    parts.append(UNSTORABLE)
    codes = [code for table in parts for code in table]
    assert len(codes) == len(set(codes))
    assert len(codes) == len({code_name(code) for code in codes})


@pytest.mark.parametrize(
    ("codes", "result"),
    [
        ([14031], Meaning.OUTAGE),
        ([17419, 424242, 14031], Meaning.OUTAGE),
        ([17419], Meaning.UNSTORABLE),
        ([424242, 17419], Meaning.UNSTORABLE),
        ([424242], Meaning.UNCLEAR),
        ([None], Meaning.UNCLEAR),
        ([], Meaning.UNCLEAR),
    ],
)
def test_several_failures_together(codes: list[int | None], result: Meaning) -> None:
    assert meaning(codes) is result
