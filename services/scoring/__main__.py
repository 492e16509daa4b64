"""Starts scoring: `python -m services.scoring`."""

from services.scoring.app import build
from shared.service import run

if __name__ == "__main__":
    run("scoring", build)
