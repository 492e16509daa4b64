"""Secrets of a local run: made once, kept, readable by the owner only."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from deploy.local.layout import load_or_make_secrets

if TYPE_CHECKING:
    from pathlib import Path


def test_secrets_are_the_same_at_the_next_start(tmp_path: Path) -> None:
    first = load_or_make_secrets(tmp_path / "secrets.json", ["2480"])
    assert load_or_make_secrets(tmp_path / "secrets.json", ["2480"]) == first


def test_a_new_authority_gets_a_token_of_its_own(tmp_path: Path) -> None:
    first = load_or_make_secrets(tmp_path / "secrets.json", ["2480"])
    second = load_or_make_secrets(tmp_path / "secrets.json", ["2481"])
    assert second.publishers.keys() == {"2480", "2481"}
    assert second.publishers["2480"] == first.publishers["2480"]
    assert second.pseudonym_key == first.pseudonym_key


def test_secrets_are_long_enough_for_the_services_and_differ_by_folder(tmp_path: Path) -> None:
    one, other = (load_or_make_secrets(tmp_path / name / "secrets.json", ["2480"]) for name in "ab")
    assert len(one.pseudonym_key) >= 32
    assert min(len(one.service_token), len(one.publishers["2480"])) >= 16
    assert len(one.viewer_password) >= 8
    assert one != other


def test_others_cannot_read_them(tmp_path: Path) -> None:
    load_or_make_secrets(tmp_path / "secrets.json", ["2480"])
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
