"""Starts scoring: `python -m services.scoring`."""

from services.scoring.app import build
from services.scoring.rescoring import SERVICE
from shared.service import serve
from shared.settings import settings_or_exit

if __name__ == "__main__":
    settings = settings_or_exit()
    serve(build(settings), SERVICE, settings)
