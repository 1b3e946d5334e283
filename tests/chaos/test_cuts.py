"""A slice of the campaign of cuts."""

import secrets

import pytest

from tests.chaos.cuts import run

pytestmark = pytest.mark.full


@pytest.mark.parametrize(("database", "cuts"), [("sqlite", 200), ("postgresql", 60)])
async def test_each_answer_is_shown_once_and_in_order_over_cuts(database: str, cuts: int) -> None:
    campaign = await run(secrets.randbelow(10**6), cuts, database)
    assert not campaign.violations
