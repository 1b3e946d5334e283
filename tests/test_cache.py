"""The living dialogue over the embedded Valkey and over Redis."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.embedded import EmbeddedValkey
from adapters.storage.redis import RedisCache
from bot.domain.errors import BadSettings
from tests import servers
from tests.contracts.cache import CacheContract, OutageContract
from tests.mortal import Mortal, MortalRedis, MortalValkey

PAUSE = timedelta(milliseconds=20)


class Caches(CacheContract, OutageContract):
    @pytest.fixture
    async def cache(self, server: Mortal) -> AsyncIterator[RedisCache]:
        cache = RedisCache(server.url, PAUSE)
        yield cache
        await cache.close()

    @pytest.fixture
    async def other(self, server: Mortal) -> AsyncIterator[RedisCache]:
        cache = RedisCache(server.url, PAUSE)
        yield cache
        await cache.close()


class TestValkey(Caches):
    @pytest.fixture
    async def server(self, tmp_path: Path) -> AsyncIterator[Mortal]:
        async with EmbeddedValkey(tmp_path) as valkey:
            yield MortalValkey(valkey)


@pytest.mark.full
class TestRedis(Caches):
    @pytest.fixture
    def server(self) -> Iterator[Mortal]:
        with servers.redis() as server:
            yield MortalRedis(server)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        RedisCache(url)
