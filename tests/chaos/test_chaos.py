"""A short chaos run; `make chaos` is the long one."""

from __future__ import annotations

import pytest

from tests.chaos.run import Options, Progress, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

OPTIONS = Options(seed=4, minutes=0.3, faults=16, replicas=2, thorough=False)


async def test_a_short_run_ends_as_an_independent_computation_says() -> None:
    result = await run(OPTIONS, Progress(print))
    found = "\n".join(map(str, result.differences[:20]))
    assert not result.differences, f"seed {OPTIONS.seed}, logs in {result.kept}:\n{found}"
    assert sum(result.faults.values()) == OPTIONS.faults
    assert result.evidence.told
