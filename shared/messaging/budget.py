"""How many messages of an authority may be parked in a row, and whose further ones are held: counting alone, without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

UNKNOWN = "unknown"
"""Whose messages name no authority, and whose authorities are too many to be counted apart."""
MOST_AUTHORITIES = 1_000
"""Counted apart; three times the school authorities of Sweden. Behind the door an authority is what a message says it is."""
TRIAL_SECONDS = 30.0
"""How often a message of an authority that is held is tried all the same, so that what is mended goes on by itself."""


@dataclass(slots=True)
class ParkingBudget:
    """Counts, in one process, the messages of each authority that were parked since one of them was handled.

    An authority that has had `limit` of them parked is *held*, until one is handled. `limit` 0: nobody ever is. Times are
    seconds of any clock that does not go back.
    """

    limit: int = 0
    trial_seconds: float = TRIAL_SECONDS
    _parked: dict[str, int] = field(default_factory=dict)
    _next_trial: dict[str, float] = field(default_factory=dict)
    """Of each authority that is held, when a message of its is tried next."""

    @property
    def is_untouched(self) -> bool:
        """Whether nothing is counted: then it does not matter whose a message is."""
        return not self._parked

    @property
    def held(self) -> int:
        """How many authorities are held."""
        return len(self._next_trial)

    def may_try(self, authority: str, now: float) -> bool:
        """Whether a message of the authority is worked on; of one that is held this is so once in `trial_seconds`."""
        next_trial = self._next_trial.get(authority)
        if next_trial is None:
            return True
        if now < next_trial:
            return False
        self._next_trial[authority] = now + self.trial_seconds
        return True

    def may_park(self, authority: str, now: float) -> bool:
        """Whether one more message of the authority may be parked; counts it. When not, it is to be held."""
        if not self.limit:
            return True
        name = self._counted_as(authority)
        if name in self._next_trial:
            return False
        self._parked[name] = self._parked.get(name, 0) + 1
        if self._parked[name] >= self.limit:
            self._next_trial[name] = now + self.trial_seconds
        return True

    def not_parked(self, authority: str) -> None:
        """The message counted last could not be parked after all."""
        name = self._counted_as(authority)
        left = self._parked.pop(name, 0) - 1
        if left > 0:
            self._parked[name] = left
        self._next_trial.pop(name, None)

    def succeeded(self, authority: str) -> bool:
        """A message of the authority was handled; says whether the authority was held until now."""
        self._parked.pop(authority, None)
        return self._next_trial.pop(authority, None) is not None

    def _counted_as(self, authority: str) -> str:
        return authority if authority in self._parked or len(self._parked) < MOST_AUTHORITIES else UNKNOWN
