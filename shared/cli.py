"""`kvar`: one command line. Each part brings its own subcommands through the entry points `kvar.commands`."""

from __future__ import annotations

from importlib.metadata import entry_points

import typer


def build() -> typer.Typer:
    """Joins all installed subcommands: a Typer becomes a group, a function a command."""
    cli = typer.Typer(name="kvar", no_args_is_help=True, help="Kvar: early warning against dropping out of school.")
    for entry in sorted(entry_points(group="kvar.commands"), key=lambda item: item.name):
        part = entry.load()
        if isinstance(part, typer.Typer):
            cli.add_typer(part, name=entry.name)
        else:
            cli.command(name=entry.name)(part)
    return cli


def main() -> None:
    """Entry point of the `kvar` command."""
    build()()
