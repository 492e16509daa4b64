"""National ids of a student: kept as keyed hashes, with just enough beside them to tell a new number from another person's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.ingest.contradictions import NATIONAL_ID, Contradiction
from shared.errors import FieldError

COORDINATION = 60
"""What is added to the day of birth in a co-ordination number."""

PATH = "$.data.person.national_id"
KNOWN = "the one known, unless somebody confirms the new one"


@dataclass(frozen=True, slots=True)
class NationalId:
    """A national id without itself.

    Attributes:
        key: Keyed hash of the reference `civic:…`.
        born: YYYYMMDD; None when the number holds no date.
        is_preliminary: A temporary or co-ordination number, which a personal number may replace one day.
    """

    key: str
    born: str | None
    is_preliminary: bool


def read_national_id(number: str, key: str) -> NationalId:
    """What the twelve characters of a number tell. Letters make it temporary, a day over 60 a co-ordination number."""
    day = int(number[6:8])
    is_coordination = day > COORDINATION
    born = f"{number[:6]}{day - COORDINATION if is_coordination else day:02d}"
    return NationalId(key, born if _is_a_day(born) else None, is_coordination or not number.isdecimal())


def _is_a_day(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def two_in_one_event() -> Contradiction:
    """One event names two national ids for one student."""
    reason = "the event names two national ids for one student"
    return Contradiction(NATIONAL_ID, reason, FieldError(PATH, "two national ids", "one national id"))


def another_than_known() -> Contradiction:
    """The student is known with another national id."""
    reason = (
        "the student of these references is known with another national id: two students may have been taken for one"
    )
    return Contradiction(NATIONAL_ID, reason, FieldError(PATH, "another national id than known", KNOWN))


@dataclass(frozen=True, slots=True)
class KnownIds:
    """A student's national ids. `other`: keys of those that were replaced by rule, or stated beside it and confirmed."""

    valid: NationalId | None = None
    other: tuple[str, ...] = ()

    def knows(self, stated: tuple[NationalId, ...]) -> bool:
        """Whether all of these are the student's already."""
        mine = {*self.other, self.valid.key} if self.valid else {*self.other}
        return all(one.key in mine for one in stated)

    def after(
        self, stated: tuple[NationalId, ...], *, names_agree: bool, is_confirmed: bool, is_newest: bool = True
    ) -> KnownIds:
        """The student's ids after an event that states some, the valid one first.

        A personal number replaces a temporary or co-ordination number of the same birth date, when the persons have a name in
        common: the old one stays the student's, also when its event is the older one and arrives later. What somebody has
        confirmed replaces whatever was known, unless that is newer: then it is the student's beside it.

        Raises:
            Contradiction: they are not this student's by any rule.
        """
        if not stated or (self.knows(stated) and not is_confirmed):
            return self
        if is_confirmed:
            return self._confirmed(stated, is_newest=is_newest)
        if len(stated) > 1:
            raise two_in_one_event()
        new, valid = stated[0], self.valid
        if valid is None:
            return KnownIds(new, self.other)
        if names_agree and _becomes(valid, new):
            return KnownIds(new, (*self.other, valid.key))
        if names_agree and not is_newest and _becomes(new, valid):
            return KnownIds(valid, (*self.other, new.key))
        raise another_than_known()

    def without_valid(self) -> KnownIds:
        """The ids if the valid one had never come: what it replaced, by rule a preliminary one of the same birth date, holds."""
        if self.valid is None or not self.other:
            return KnownIds()
        return KnownIds(NationalId(self.other[-1], self.valid.born, is_preliminary=True), self.other[:-1])

    def _confirmed(self, stated: tuple[NationalId, ...], *, is_newest: bool) -> KnownIds:
        valid = stated[0] if is_newest or self.valid is None else self.valid
        others = dict.fromkeys((*self.other, *(one.key for one in stated)))
        return KnownIds(valid, tuple(key for key in others if key != valid.key))


def _becomes(old: NationalId, new: NationalId) -> bool:
    return old.is_preliminary and not new.is_preliminary and old.born is not None and old.born == new.born
