"""Attendance events as a real register sends them: on the day, days late, never, corrected, taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from deploy.demo.chance import Chance
from deploy.demo.class_trouble import ClassTrouble, part_in_trouble
from deploy.demo.presence import PRESENT, Lesson, Presence, spend_day, timetable
from deploy.demo.school_calendar import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.demo.enrolments import Stay
    from deploy.demo.events import Event, Source
    from deploy.demo.storylines import Life

# Of all lessons of a class:
CANCELLED = 0.012
REGISTERED_LATE = 0.035
# Of the lessons in the weeks in which a school unit forgets: later registered after all.
REMEMBERED = 0.7
# Of single registrations:
EXCUSED_LATER = 0.15  # of unexcused absence
PRESENT_AFTER_ALL = 0.03  # of any absence
RETRACTED = 0.0015

CANCELLED_AT = time(7, 50)
MISSING_SINCE = time(17, 30)
TOMORROW_AT = time(12, 15)
SAME_EVENING_AT = time(18, 30)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a class's register of one lesson. `late`: school days until it is registered; None: on the day."""

    cancelled: bool = False
    late: int | None = None
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A student's place in one lesson on one school day (counted from 0)."""

    stay: Stay
    day: int
    lesson: Lesson


@dataclass
class AttendanceRegister:
    """The attendance of all classes over the term; call `on` once for each school day, in order.

    `forgetful` names the school unit that registers nothing during `forgets` (numbers of school days).
    """

    seed: int
    source: Source
    days: list[date]
    lives: list[Life]
    stays: list[Stay]
    trouble: ClassTrouble | None
    forgetful: str
    forgets: range
    missed: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """(student number, course) → minutes missed and scheduled so far; what the marks depend on."""

    def __post_init__(self) -> None:
        classes = {stay.school_class.code: stay.school_class for stay in self.stays}
        self._weeks = {code: timetable(self.seed, school_class) for code, school_class in classes.items()}
        self._units = {code: school_class.unit for code, school_class in classes.items()}
        self._fates = {code: Chance(self.seed, "fates", code) for code in classes}
        self._chances = [Chance(self.seed, "days", number) for number in range(len(self.lives))]
        self._troubles = [Chance(self.seed, "class trouble", number) for number in range(len(self.lives))]
        self._parts = [part_in_trouble(self.seed, number) for number in range(len(self.lives))]
        self._later: dict[int, list[Event]] = {}

    def on(self, day: int) -> list[Event]:
        """What the source records on this school day, about it and about earlier ones."""
        weekday = self.days[day].weekday()
        lessons = {code: week[weekday] for code, week in self._weeks.items()}
        fates = {code: [self._fate(code, day) for _ in lessons[code]] for code in lessons}
        events: list[Event] = []
        for stay in self.stays:
            if stay.covers(day):
                code = stay.school_class.code
                events += self._student_day(stay, day, lessons[code], fates[code])
        # Last, because the last day's own corrections come on its evening.
        return events + self._later.pop(day, [])

    def _fate(self, code: str, day: int) -> Fate:
        chance = self._fates[code]
        cancelled, late, remembered = (chance.happens(p) for p in (CANCELLED, REGISTERED_LATE, REMEMBERED))
        delay = chance.between(1, 6)
        if cancelled:
            return Fate(cancelled=True)
        if self._units[code] == self.forgetful and day in self.forgets:
            return Fate(late=self.forgets.stop - day + delay) if remembered else Fate(forgotten=True)
        return Fate(late=delay if late else None)

    def _student_day(self, stay: Stay, day: int, lessons: tuple[Lesson, ...], fates: list[Fate]) -> Iterator[Event]:
        number = stay.student.number
        chance = self._chances[number]
        spent = spend_day(self.lives[number], day, lessons, chance)
        if self.trouble and self.trouble.group == stay.school_class.code:
            strain = self._parts[number] * self.trouble.strain(day)
            spent = self.trouble.spend_day(spent, lessons, strain, self._troubles[number])
        for lesson, fate, presence in zip(lessons, fates, spent, strict=True):
            tally = self.missed.setdefault((number, lesson.course.code), [0, 0])
            if not fate.cancelled:
                tally[0] += presence.excused + presence.unexcused
                tally[1] += lesson.minutes
            yield from self._lesson(Place(stay, day, lesson), fate, presence, chance)

    def _lesson(self, place: Place, fate: Fate, presence: Presence, chance: Chance) -> Iterator[Event]:
        today = self.days[place.day]
        if fate.cancelled:
            yield self._event(place, "cancelled", PRESENT, local_time(today, CANCELLED_AT))
        elif fate.forgotten or fate.late is not None:
            yield self._event(place, "unregistered", PRESENT, local_time(today, MISSING_SINCE))
            if fate.late is not None:
                self._record_later(place, "registered", presence, fate.late)
        else:
            ends = local_time(today, place.lesson.starts_at) + timedelta(minutes=place.lesson.minutes)
            yield self._event(place, "registered", presence, ends + timedelta(seconds=chance.between(-600, 300)))
            self._maybe_correct(place, presence, chance)

    def _maybe_correct(self, place: Place, presence: Presence, chance: Chance) -> None:
        draw, delay = chance.share(), chance.between(1, 8)
        if presence is PRESENT:
            if draw < RETRACTED:
                self._record_later(place, "retracted", PRESENT, delay)
        elif draw < PRESENT_AFTER_ALL:
            self._record_later(place, "registered", PRESENT, delay)
        elif presence.unexcused and draw < PRESENT_AFTER_ALL + EXCUSED_LATER:
            self._record_later(place, "registered", Presence(excused=presence.unexcused), delay)

    def _record_later(self, place: Place, state: str, presence: Presence, delay: int) -> None:
        """Puts a later revision on the agenda; what would come after the term comes on its last evening."""
        due = min(place.day + delay, len(self.days) - 1)
        at = TOMORROW_AT if due > place.day else SAME_EVENING_AT
        recorded = local_time(self.days[due], at) + timedelta(seconds=place.stay.student.number % 900)
        self._later.setdefault(due, []).append(self._event(place, state, presence, recorded))

    def _event(self, place: Place, state: str, presence: Presence, recorded: datetime) -> Event:
        lesson, school_class, day = place.lesson, place.stay.school_class, self.days[place.day]
        occurrence = f"{school_class.code}-{day:%Y%m%d}-{lesson.slot + 1}"
        data: dict[str, Any] = {
            "lesson": occurrence,
            "school_unit": school_class.unit,
            "group": school_class.code,
            "course": lesson.course.code,
            "starts_at": local_time(day, lesson.starts_at).isoformat(),
            "minutes": lesson.minutes,
            "state": state,
            "excused_minutes": presence.excused,
            "unexcused_minutes": presence.unexcused,
            "late": presence.late,
        }
        return self.source.event("attendance.recorded", place.stay.student.id, recorded, occurrence, data)
