"""Starts ingest: `python -m services.ingest`."""

from __future__ import annotations

import sys

from services.ingest.app import build
from shared.service import serve
from shared.settings import SettingsError, settings_or_exit


def main() -> None:
    """Reads the settings, composes the service, serves until it is told to stop."""
    settings = settings_or_exit()
    try:
        app = build(settings)
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings: {error}\n")
        raise SystemExit(2) from error
    serve(app, "ingest", settings)


if __name__ == "__main__":
    main()
