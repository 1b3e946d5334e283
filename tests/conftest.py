from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def trained(pytestconfig: pytest.Config) -> Path:
    """The folder of the trained classifier: kept between runs, trained again when the examples change."""
    return pytestconfig.cache.mkdir("classifier")
