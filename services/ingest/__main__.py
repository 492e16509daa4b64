"""Starts ingest: `python -m services.ingest`."""

from services.ingest.app import build
from shared.service import run

if __name__ == "__main__":
    run("ingest", build)
