"""A slice of the campaign of cuts."""

import secrets

import pytest

from tests.chaos.cuts import run

pytestmark = pytest.mark.full


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_each_answer_is_shown_once_and_in_order_over_cuts(database: str) -> None:
    campaign = await run(secrets.randbelow(10**6), 200, database)
    assert not campaign.violations
