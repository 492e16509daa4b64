"""Starts reporting: `python -m services.reporting`."""

from services.reporting.app import build
from shared.service import run

if __name__ == "__main__":
    run("reporting", build)
