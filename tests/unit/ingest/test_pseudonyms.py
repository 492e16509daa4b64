"""Pseudonyms: stable, well-formed, different between authorities and secrets."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode

from pydantic import TypeAdapter

from services.ingest.pseudonyms import Pseudonyms, normal_reference
from shared.events.envelope import Pseudonym

SECRET = "a secret of thirty-two characters"


def test_a_pseudonym_is_the_first_128_bits_of_an_hmac_under_the_authoritys_key() -> None:
    key = hmac.new(SECRET.encode(), b"2480", hashlib.sha256).digest()
    digest = hmac.new(key, b"id:1", hashlib.sha256).digest()
    expected = "p_" + b32encode(digest[:16]).decode().lower().replace("=", "")
    assert Pseudonyms(SECRET).of("2480", "id:1") == expected
    assert TypeAdapter(Pseudonym).validate_python(expected) == expected


def test_authority_reference_and_secret_each_make_another_pseudonym() -> None:
    made = {
        Pseudonyms(secret).of(authority, reference)
        for secret in (SECRET, SECRET + "!")
        for authority in ("2480", "1480")
        for reference in ("id:1", "id:2", "civic:200801012384")
    }
    assert len(made) == 12


def test_a_digest_depends_on_the_authoritys_key() -> None:
    pseudonyms = Pseudonyms(SECRET)
    assert pseudonyms.digest("2480", b"x") == pseudonyms.digest("2480", b"x")
    assert len({pseudonyms.digest("2480", b"x"), pseudonyms.digest("1480", b"x"), pseudonyms.digest("2480", b"y")}) == 3


def test_only_uuids_have_one_spelling() -> None:
    assert normal_reference("ss12000:0A6F3C1E-0000-0000-0000-0000000000AB").endswith(
        "0a6f3c1e-0000-0000-0000-0000000000ab"
    )
    assert normal_reference("id:AbC") == "id:AbC"
