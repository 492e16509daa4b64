"""`kvar simulate` and `kvar import oulad` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.demo import cli
from deploy.demo.player import PlayResult


@pytest.fixture
def kvar() -> typer.Typer:
    """The commands joined as `kvar` joins them."""
    joined = typer.Typer()
    joined.add_typer(cli.import_app, name="import")
    joined.command("simulate")(cli.simulate)
    return joined


SMALL = ["simulate", "--students", "3", "--units", "2", "--first-day", "2025-09-01", "--last-day", "2025-09-12"]


def test_simulate_writes_events_to_a_file_and_the_truth_to_another(kvar: typer.Typer, tmp_path: Path) -> None:
    out, truth = tmp_path / "events.ndjson", tmp_path / "truth.json"
    result = CliRunner().invoke(kvar, [*SMALL, "--out", str(out), "--truth", str(truth)])
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {event["specversion"] for event in events} == {"1.0"}
    assert [one["storyline"] for one in json.loads(truth.read_text(encoding="utf-8"))]
    assert "Synthetic" in result.stderr
    assert f"{len(events)} events written" in result.stderr


def test_simulate_writes_to_the_standard_output_and_talks_on_the_other(kvar: typer.Typer) -> None:
    result = CliRunner().invoke(kvar, SMALL)
    assert result.exit_code == 0
    assert all(json.loads(line)["authority"] == "2480" for line in result.stdout.splitlines())


def test_simulate_says_what_is_wrong(kvar: typer.Typer) -> None:
    result = CliRunner().invoke(kvar, ["simulate", "--first-day", "2025-07-01", "--last-day", "2025-07-02"])
    assert result.exit_code == 2
    assert "no school day" in result.output


def test_out_and_publish_exclude_each_other(kvar: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(kvar, [*SMALL, "--out", str(tmp_path / "x"), "--publish", "http://ingest"])
    assert result.exit_code == 2
    assert "not both" in result.output


def test_import_says_which_file_is_missing(kvar: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(kvar, ["import", "oulad", str(tmp_path)])
    assert result.exit_code == 2
    assert "courses.csv" in result.output


def test_an_address_of_no_door_is_refused(kvar: typer.Typer) -> None:
    result = CliRunner().invoke(kvar, [*SMALL, "--publish", "ingest"])
    assert result.exit_code == 1
    assert "http:// or amqp://" in result.output


@pytest.mark.parametrize(("rejected", "status"), [(2, 0), (0, 1), (3, 1)])
def test_publishing_succeeds_with_exactly_the_expected_rejections(
    kvar: typer.Typer, monkeypatch: pytest.MonkeyPatch, rejected: int, status: int
) -> None:
    async def pretended(*_: object, **__: object) -> PlayResult:
        return PlayResult(sent=9, accepted=9 - rejected, rejected=rejected)

    monkeypatch.setattr(cli, "play", pretended)
    result = CliRunner().invoke(kvar, [*SMALL, "--bad", "2", "--publish", "http://ingest", "--token", "t"])
    assert result.exit_code == status, result.output
    assert f"{rejected} rejected (2 expected)" in result.output
