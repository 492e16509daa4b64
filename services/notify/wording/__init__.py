"""A level change in words. One module a language; each gives the same functions, see `Language`."""

from __future__ import annotations

from services.notify.wording import english, swedish
from services.notify.wording.language import Language, Words

LANGUAGES: dict[str, Language] = {"sv": swedish.LANGUAGE, "en": english.LANGUAGE}

__all__ = ["LANGUAGES", "Language", "Words"]
