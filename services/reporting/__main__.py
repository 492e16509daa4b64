"""Starts reporting: `python -m services.reporting`."""

from __future__ import annotations

import sys

from services.reporting.app import build
from services.reporting.handlers import SERVICE
from shared.service import serve
from shared.settings import SettingsError, settings_or_exit


def main() -> None:
    """Runs until it is told to stop; ends with status 2 when the settings cannot be used."""
    settings = settings_or_exit()
    try:
        app = build(settings)
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings: {error}\n")
        raise SystemExit(2) from error
    serve(app, SERVICE, settings)


if __name__ == "__main__":
    main()
