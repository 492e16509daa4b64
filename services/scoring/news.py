"""What of the facts that arrive is news, what corrects something, what comes too late to matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.scoring.facts import Fact, MarkFact, PlaceFact, rank
from shared.events.places import Place


@dataclass(slots=True)
class Applied:
    """What became of facts. `news`: valid now and not before; `corrections`: of these, those that say something else than what
    was known; `outdated`: of a lower precedence than what was known; `baseless`: they take back what was not there. `changes`:
    whether the state is another one for them.
    """

    news: list[Fact] = field(default_factory=list)
    corrections: list[Fact] = field(default_factory=list)
    outdated: list[Fact] = field(default_factory=list)
    baseless: list[Fact] = field(default_factory=list)
    changes: bool = False


def compare(
    facts: Iterable[Fact],
    before: Iterable[Fact],
    is_valid: Callable[[Fact], bool],
    changes_lessons: Callable[[Place, Place | None], bool],
) -> Applied:
    """What became of facts in a state that was made anew from all there are. `before`: all that were known without them;
    `changes_lessons`: whether other lessons count by a place than by the version before it, which may be none.
    """
    known: dict[tuple[object, ...], Fact] = {}
    for fact in before:
        held = known.get(fact.key)
        if held is None or rank(fact) > rank(held):
            known[fact.key] = fact
    found = Applied()
    for fact in facts:
        held = known.get(fact.key)
        if held is not None and rank(held) >= rank(fact):
            if rank(held) > rank(fact):
                found.outdated.append(fact)
        elif is_valid(fact):
            found.news.append(fact)
            if isinstance(fact, PlaceFact):
                is_correction = changes_lessons(fact.version, held.version if isinstance(held, PlaceFact) else None)
            else:
                is_correction = held is not None and _says(held) != _says(fact)
            if is_correction:
                found.corrections.append(fact)
            if held is None and isinstance(fact, MarkFact) and fact.version.value is None:
                found.baseless.append(fact)
    return found


def _says(fact: Fact) -> tuple[object, ...]:
    return () if isinstance(fact, PlaceFact) else fact.version.content
