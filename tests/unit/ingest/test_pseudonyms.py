"""Pseudonyms are made from nothing; references are kept as keyed hashes, different between authorities, secrets and spaces."""

from __future__ import annotations

import hashlib
import hmac

from pydantic import TypeAdapter

from services.ingest.pseudonyms import KeyedHashes, new_pseudonym
from shared.events.values import Pseudonym

SECRET = "a secret of thirty-two characters"


def test_pseudonyms_are_well_formed_and_never_the_same() -> None:
    made = [new_pseudonym() for _ in range(1000)]
    assert len(set(made)) == len(made)
    assert all(TypeAdapter(Pseudonym).validate_python(one) == one for one in made)
    assert {letter for one in made for letter in one[2:]} == set("abcdefghijklmnopqrstuvwxyz234567")


def test_a_references_hash_is_the_first_128_bits_of_an_hmac_under_the_authoritys_key() -> None:
    key = hmac.new(SECRET.encode(), b"2480", hashlib.sha256).digest()
    expected = hmac.new(key, b"sis id:1", hashlib.sha256).hexdigest()[:32]
    assert KeyedHashes(SECRET).of_reference("2480", "sis", "id:1") == expected


def test_authority_space_reference_and_secret_each_make_another_hash() -> None:
    made = {
        KeyedHashes(secret).of_reference(authority, space, reference)
        for secret in (SECRET, SECRET + "!")
        for authority in ("2480", "1480")
        for space in ("sis", "marks")
        for reference in ("id:1", "id:2")
    }
    assert len(made) == 16


def test_national_ids_and_uuids_are_the_authoritys_in_every_space() -> None:
    hashes = KeyedHashes(SECRET)
    for reference in ("civic:200801012384", "ss12000:0a6f3c1e-0000-0000-0000-0000000000ab"):
        assert len({hashes.of_reference("2480", space, reference) for space in ("sis", "marks")}) == 1


def test_only_uuids_have_one_spelling() -> None:
    hashes = KeyedHashes(SECRET)
    lower, upper = (f"ss12000:{uuid}" for uuid in ("0a6f3c1e-" + "0" * 27, "0A6F3C1E-" + "0" * 27))
    assert hashes.of_reference("2480", "sis", lower) == hashes.of_reference("2480", "sis", upper)
    assert hashes.of_reference("2480", "sis", "id:ab") != hashes.of_reference("2480", "sis", "id:AB")


def test_a_digest_depends_on_the_authoritys_key() -> None:
    hashes = KeyedHashes(SECRET)
    assert hashes.of_content("2480", b"x") == hashes.of_content("2480", b"x")
    assert len({hashes.of_content("2480", b"x"), hashes.of_content("1480", b"x"), hashes.of_content("2480", b"y")}) == 3
