"""`climate.reported.v1`: safety, inclusion and relations of a group, from five answers up."""

from typing import Annotated, Literal

from pydantic import Field

from shared.events.envelope import Fact
from shared.events.values import WHOLE, Code

MIN_ANSWERS = 5
MOST_ANSWERS = 1_000_000


class ClimateReported(Fact):
    """Means of a group's or unit's answers in one week. Key: subject (`group:…` or `unit:…`) + `school_unit` + `period`.

    A group's code is unique within its school unit only: where several units of the authority use it, a report that names
    no `school_unit` is nobody's. Fewer than five answers are refused: they would show single persons.
    """

    school_unit: Code | None = Field(default=None, description="of a group: the unit whose group it is")
    period: str = Field(
        pattern=r"^(19|20|21)[0-9]{2}-W(0[1-9]|[1-4][0-9]|5[0-3])$", max_length=8, description="ISO week, 2026-W07"
    )
    answers: Annotated[int, Field(ge=MIN_ANSWERS, le=MOST_ANSWERS), WHOLE]
    safety: float = Field(ge=1.0, le=5.0)
    inclusion: float = Field(ge=1.0, le=5.0)
    relations: float = Field(ge=1.0, le=5.0)
    state: Literal["recorded", "retracted"] = "recorded"
