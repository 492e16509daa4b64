"""What of the facts that arrive is news, what corrects something, what comes too late to matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from services.scoring.bounds import Unusable
from services.scoring.facts import Fact, Lesson, LessonFact, Mark, MarkFact, PlaceFact, rank
from shared.events.places import Place


@dataclass(slots=True)
class Applied:
    """What became of facts. `news`: valid now and not before. Of these, `corrections`: they take back something that spoke
    against the student, at least in part; `additions`: nothing was known of what they speak of. `outdated`: of a lower
    precedence than what was known; `baseless`: they take back what was not there; `beyond`: they speak of what was unusable
    already. `unusable`: what has become so, which takes back all that it said. `changes`: whether the state is another one.
    """

    news: list[Fact] = field(default_factory=list)
    corrections: list[Fact] = field(default_factory=list)
    additions: list[Fact] = field(default_factory=list)
    outdated: list[Fact] = field(default_factory=list)
    baseless: list[Fact] = field(default_factory=list)
    beyond: list[Fact] = field(default_factory=list)
    unusable: Unusable = field(default_factory=Unusable)
    changes: bool = False

    def add(self, fact: LessonFact | MarkFact, held: Lesson | Mark | None) -> None:
        """Notes a fact that is news. `held`: the version that was valid before it."""
        self.news.append(fact)
        if held is not None:
            if relieves(held, fact.version):
                self.corrections.append(fact)
        elif isinstance(fact, MarkFact) and fact.version.value is None:
            self.baseless.append(fact)
        else:
            self.additions.append(fact)

    def give_up(self, unusable: Unusable) -> None:
        """Notes what the news have made unusable."""
        if not unusable:
            return
        self.unusable.join(unusable)
        known = set(self.corrections)
        self.corrections += [fact for fact in self.news if unusable.holds(fact) and fact not in known]


def relieves(before: Lesson | Mark, after: Lesson | Mark) -> bool:
    """Whether a newer version takes back something that spoke against the student; more absence than before does not."""
    if before.content == after.content:
        return False
    if isinstance(before, Lesson) and isinstance(after, Lesson):
        same_hours = before[7:] == after[7:] and before.minutes == after.minutes
        absent = after.excused + after.unexcused >= before.excused + before.unexcused
        as_late = after.late or not before.late
        return not (
            same_hours and absent and as_late and after.unexcused >= before.unexcused and after.state == before.state
        )
    return True


ChangesLessons = Callable[[Sequence[tuple[Place, Place | None]]], bool]
"""Whether other lessons would count if, of some places, the versions before them held instead (None: there was none)."""


def compare(
    facts: Iterable[Fact],
    known_before: Callable[[Fact], Fact | None],
    is_valid: Callable[[Fact], bool],
    changes_lessons: ChangesLessons,
) -> Applied:
    """What became of facts in a state that was made anew from all there are.

    `known_before`: what had been valid in a fact's place before they came.
    """
    found = Applied()
    places: list[tuple[PlaceFact, Place | None]] = []
    for fact in facts:
        held = known_before(fact)
        if held is not None and rank(held) >= rank(fact):
            if rank(held) > rank(fact):
                found.outdated.append(fact)
        elif not is_valid(fact):
            continue
        elif isinstance(fact, PlaceFact):
            found.news.append(fact)
            places.append((fact, held.version if isinstance(held, PlaceFact) else None))
        else:
            found.add(fact, held.version if held is not None and not isinstance(held, PlaceFact) else None)
    pairs = [(fact.version, held) for fact, held in places]
    if changes_lessons(pairs):  # Of a class that changes, each place alone would; both together do not.
        alone = zip(places, pairs, strict=True)
        found.corrections += [fact for (fact, _), pair in alone if changes_lessons([pair])]
    return found
