from collections.abc import AsyncIterator

import pytest

from tests.doors.bot import Bot, running_bot


@pytest.fixture(scope="session")
async def bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """One for all tests: each of them is in sessions of its own."""
    async with running_bot(tmp_path_factory.mktemp("home")) as running:
        yield running
