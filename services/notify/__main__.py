"""Starts notify: `python -m services.notify`."""

from __future__ import annotations

import sys

from services.notify.app import NAME, build
from shared.service import serve
from shared.settings import SettingsError, settings_or_exit


def main() -> None:
    """Serves until SIGTERM; exit status 2 on wrong settings."""
    settings = settings_or_exit()
    try:
        app = build(settings)
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings: {error}\n")
        raise SystemExit(2) from error
    serve(app, NAME, settings)


if __name__ == "__main__":
    main()
