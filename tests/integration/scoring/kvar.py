"""The command line of scoring on the stage's database."""

from __future__ import annotations

import asyncio

import pytest
import typer
from typer.testing import CliRunner

from services.scoring import cli as cli_of_scoring
from tests.integration.scoring.stage import Stage


def commands() -> typer.Typer:
    """What scoring brings to `kvar`."""
    cli = typer.Typer()
    cli.command("explain")(cli_of_scoring.explain)
    cli.add_typer(cli_of_scoring.rules_app, name="rules")
    return cli


class Kvar:
    """The command line, against the stage's database."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KVAR_MONGO_URL", stage.settings.mongo_url)
        monkeypatch.setenv("KVAR_MONGO_DATABASE", stage.settings.mongo_database)

    async def __call__(self, *arguments: str, status: int = 0) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, commands(), arguments)
        assert result.exit_code == status, result.output
        return result.output
