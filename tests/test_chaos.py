"""A minute of the campaigns of ``make soak``: on both databases nothing is lost, doubled or out of order."""

import pytest

from tests.chaos.crashes import crash
from tests.chaos.faults import fault
from tests.chaos.plan import MOST_HITS, OUT_OF_REACH, planned, verb_of
from tests.chaos.stage import DATABASES

SECONDS = 8.0
SEED = 20251201


def test_the_plan_reaches_each_failpoint_and_is_the_same_again() -> None:
    plan = planned(2000, SEED)
    assert plan == planned(2000, SEED)
    assert plan != planned(2000, SEED + 1)
    assert {trap.nth for trap in plan} == set(range(1, MOST_HITS + 1))
    assert not {verb_of(trap.point) for trap in plan} & set(OUT_OF_REACH)


@pytest.mark.full
@pytest.mark.parametrize("database", DATABASES)
async def test_crashes(database: str) -> None:
    crashed = await crash(database, 10_000, SEED, SECONDS)
    assert crashed.outcome.violations == []
    assert crashed.outcome.deaths
    assert crashed.outcome.messages
    assert crashed.reached_unawares == []


@pytest.mark.full
@pytest.mark.parametrize("database", DATABASES)
async def test_faults(database: str) -> None:
    faulted = await fault(database, 10_000, SEED, SECONDS)
    assert faulted.outcome.violations == []
    assert faulted.done
    assert faulted.outcome.messages
