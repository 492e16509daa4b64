"""An alert as a letter to one person: what is said, before it becomes text, HTML and headers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.notify.places import Place
from services.notify.recipients import Recipient
from services.notify.wording import LANGUAGES, Language
from shared.events import Level, RiskLevelChanged

REASONS_SHOWN = 3
SHORT_PSEUDONYM = 8

COLOURS: Final = {Level.UNIVERSAL: "#1d6b3c", Level.TARGETED: "#8a5300", Level.INDIVIDUAL: "#a3242b"}
"""Contrast on white at least 5.5 : 1; the level is always also in words."""


@dataclass(frozen=True, slots=True)
class Name:
    """A student's name as ingest gave it for this one mail; never stored, never logged."""

    given_name: str
    family_name: str


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """One reason in words: what was counted, on which days, its points."""

    counted: str
    period: str
    points: str


@dataclass(frozen=True, slots=True)
class Letter:
    """All that a template shows. `subject` and `lead` can be seen on a locked screen, so they never tell who it is."""

    subject: str
    lead: str
    title: str
    student: str
    unit: str | None
    heading: str
    reasons: tuple[ReasonLine, ...]
    more: bool
    changes: tuple[str, ...]
    fresh: str
    notes: tuple[str, ...]
    link: str
    colour: str


def write(
    student: str, change: RiskLevelChanged, place: Place, recipient: Recipient, *, name: Name | None, public_url: str
) -> Letter:
    """The letter in the recipient's language. Protected identity: neither name nor school, whatever `name` says."""
    language = language_of(recipient)
    unit = None if place.protected else place.school_unit
    risen = change.to_level.rank > change.from_level.rank
    reasons = sorted(change.reasons, key=lambda reason: (-reason.points, reason.indicator))
    shown = tuple(ReasonLine(*language.reason(reason)) for reason in reasons[:REASONS_SHOWN])
    return Letter(
        subject=language.subject(change.from_level, change.to_level, unit),
        lead=language.rise if risen else language.fall,
        title=language.title(change.from_level, change.to_level),
        student=_student(student, place, name, language),
        unit=unit,
        heading=f"{language.words.why if risen else language.words.remains}: {language.points(change.score)}",
        reasons=shown,
        more=len(reasons) > len(shown),
        changes=_changes(change, language),
        fresh=_fresh(change, language),
        notes=_notes(place, recipient, language),
        link=f"{public_url.rstrip('/')}/students/{student}",
        colour=COLOURS[change.to_level],
    )


def language_of(recipient: Recipient) -> Language:
    """The person's language."""
    return LANGUAGES[recipient.member.language]


def _student(student: str, place: Place, name: Name | None, language: Language) -> str:
    if name is not None and not place.protected:
        return f"{name.given_name} {name.family_name}"
    why = language.words.protected if place.protected else language.words.nameless
    return f"{student[:SHORT_PSEUDONYM]}… ({why})"


def _changes(change: RiskLevelChanged, language: Language) -> tuple[str, ...]:
    moved = sorted(
        ((indicator, gained) for indicator, gained in change.changes.items() if gained), key=lambda item: -abs(item[1])
    )
    return tuple(
        f"{language.wording.name(indicator)} {'+' if gained > 0 else '−'}{abs(gained)}" for indicator, gained in moved
    )


def _fresh(change: RiskLevelChanged, language: Language) -> str:
    registered = change.fresh_until
    stale = registered is not None and registered < change.as_of
    return language.fresh(
        language.day(change.as_of, year=True), language.day(registered, year=True) if registered and stale else None
    )


def _notes(place: Place, recipient: Recipient, language: Language) -> tuple[str, ...]:
    notes = [language.left] if place.ended else []
    if recipient.role in language.instead_of_coach:
        notes.append(language.instead_of_coach[recipient.role])
    return tuple(notes)
