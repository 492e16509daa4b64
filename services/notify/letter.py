"""An alert as a letter to one person: what is said, before it becomes text, HTML and headers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from services.notify.alerts import Alert, Detour, Said, Telling
from services.notify.places import Situation
from services.notify.recipients import Recipient
from services.notify.wording import LANGUAGES, Language
from shared.events import AlertWithdrawn, Level, Reason, RiskLevelChanged

REASONS_SHOWN = 3
SHORT_PSEUDONYM = 8

COLOURS: Final = {Level.UNIVERSAL: "#1d6b3c", Level.TARGETED: "#8a5300", Level.INDIVIDUAL: "#a3242b"}
"""Contrast on white at least 5.5 : 1; the level is always also in words."""


@dataclass(frozen=True, slots=True)
class Name:
    """A student's name as ingest gave it for this one mail; never stored, never logged. One of the two may be absent."""

    given_name: str | None
    family_name: str | None

    @property
    def full(self) -> str:
        """As it is written."""
        return " ".join(filter(None, (self.given_name, self.family_name)))


@dataclass(frozen=True, slots=True)
class News:
    """What a mail tells: the level as `said` has it, and which mails no longer apply.

    Attributes:
        withdrawn: Alerts that were mailed and no longer apply; without any the mail tells of a change of level.
        withdrawal: Why they do not.
        told_before: The reader is the person who got them.
        telling: Of a change: from which level, and over which one, the student has come to the present one.
    """

    said: Said
    withdrawn: tuple[Alert, ...] = ()
    withdrawal: AlertWithdrawn | None = None
    told_before: bool = False
    telling: Telling | None = None

    @property
    def detour(self) -> Detour | None:
        """A level in between that nobody was told of."""
        return self.telling.detour if self.telling is not None else None

    @property
    def risen(self) -> bool:
        """Whether the level has risen since the mail before, or since it was lower in between."""
        before = self.said.from_level.rank
        lowest = min(before, self.detour.level.rank) if self.detour is not None else before
        return not self.withdrawn and self.said.to_level.rank > lowest


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """One reason in words: what was counted, on which days, its points."""

    counted: str
    period: str
    points: str


@dataclass(frozen=True, slots=True)
class Letter:
    """All that a template shows. `subject` and `lead` can be seen on a locked screen, so they never tell who it is.

    `background`: why the mail is sent, where it is not the score alone. `groups`: what is true of whole groups, without points.
    """

    subject: str
    lead: str
    title: str
    student: str
    unit: str | None
    background: tuple[str, ...]
    heading: str
    reasons: tuple[ReasonLine, ...]
    more: bool
    groups: tuple[str, ...]
    changes: tuple[str, ...]
    fresh: str
    notes: tuple[str, ...]
    link: str
    colour: str


def write(
    student: str,
    news: News,
    about: Situation,
    recipient: Recipient,
    *,
    name: Name | None,
    public_url: str,
    zone: tzinfo,
) -> Letter:
    """The letter in the recipient's language. Protected identity: neither name, school nor group, whatever `name` says.

    `zone`: where a mail's day is its date.
    """
    language, said = language_of(recipient), news.said
    unit = None if about.protected else about.school_unit
    subject, lead, title = _head(news, language)
    reasons = sorted((item for item in said.reasons if item.points), key=lambda item: (-item.points, item.indicator))
    shown = tuple(ReasonLine(*language.reason(reason)) for reason in reasons[:REASONS_SHOWN])
    why = language.words.why if news.risen else language.words.remains
    return Letter(
        subject=f"{subject} ({unit})" if unit else subject,
        lead=lead,
        title=title,
        student=_student(student, about, name, language),
        unit=unit,
        background=_background(news, language, zone),
        heading=f"{why}: {language.points(said.score)}",
        reasons=shown,
        more=len(reasons) > len(shown),
        groups=_groups(said.reasons, about, language),
        changes=_changes(said, language) if isinstance(said, RiskLevelChanged) and not news.withdrawn else (),
        fresh=_fresh(said, language),
        notes=_notes(news, about, recipient, language),
        link=f"{public_url.rstrip('/')}/students/{student}",
        colour=COLOURS[said.to_level],
    )


def _head(news: News, language: Language) -> tuple[str, str, str]:
    """Subject without school, lead and title."""
    said = news.said
    if news.withdrawn:
        text = language.withdrawn_subject([alert.change.to_level for alert in news.withdrawn])
        return text, language.words.withdrawn_lead, text
    if news.detour is not None:
        text = language.detour_title(news.detour.level, said.to_level)
        return text, language.words.detour_lead, text
    lead = language.rise if news.risen else language.fall
    if said.cause == "rules":
        lead = language.words.rules_lead
    return language.subject(said.from_level, said.to_level), lead, language.title(said.from_level, said.to_level)


def _background(news: News, language: Language, zone: tzinfo) -> tuple[str, ...]:
    """Which mails no longer apply, or where the level was in between; why, where it is not new facts; the level now."""
    mails = [
        (language.day((alert.sent_at or alert.created_at).astimezone(zone).date(), year=True), alert.change.to_level)
        for alert in news.withdrawn
    ]
    lines = [language.withdrawn(mails)] if mails else _between(news, language)
    reason = news.withdrawal or news.said
    if reason.cause == "rules":
        lines.append(language.words.rules_withdraw if mails else language.words.rules_change)
    elif isinstance(reason, AlertWithdrawn):
        lines.append(language.corrections(reason.corrected, (reason.as_of or reason.received_at.astimezone(zone)).year))
    if mails or news.detour is not None:
        lines.append(language.level_now(news.said.to_level))
    return tuple(lines)


def _between(news: News, language: Language) -> list[str]:
    detour = news.detour
    if detour is None:
        return []
    since = language.day(detour.since, year=True) if detour.since is not None else None
    return [language.detour(detour.level.rank > news.said.from_level.rank, detour.level, since)]


def _groups(reasons: list[Reason], about: Situation, language: Language) -> tuple[str, ...]:
    """Reasons without points: what is true of the student's whole groups."""
    return tuple(language.without_points(reason, named=not about.protected) for reason in reasons if not reason.points)


def language_of(recipient: Recipient) -> Language:
    """The person's language."""
    return LANGUAGES[recipient.member.language]


def _student(student: str, about: Situation, name: Name | None, language: Language) -> str:
    if name is not None and not about.protected:
        return name.full
    why = language.words.protected if about.protected else language.words.nameless
    return f"{student[:SHORT_PSEUDONYM]}… ({why})"


def _changes(change: RiskLevelChanged, language: Language) -> tuple[str, ...]:
    moved = sorted(
        ((indicator, gained) for indicator, gained in change.changes.items() if gained), key=lambda item: -abs(item[1])
    )
    return tuple(
        f"{language.wording.name(indicator)} {'+' if gained > 0 else '−'}{abs(gained)}" for indicator, gained in moved
    )


def _fresh(said: Said, language: Language) -> str:
    if said.as_of is None:
        return language.words.no_facts
    registered = said.fresh_until
    stale = registered is not None and registered < said.as_of
    return language.fresh(
        language.day(said.as_of, year=True), language.day(registered, year=True) if registered and stale else None
    )


def _notes(news: News, about: Situation, recipient: Recipient, language: Language) -> tuple[str, ...]:
    notes = [language.left] if about.left else []
    if news.withdrawn and not news.told_before:
        notes.append(language.words.told_another)
    elif not news.withdrawn and recipient.role in language.instead_of_coach:
        notes.append(language.instead_of_coach[recipient.role])
    return tuple(notes)
