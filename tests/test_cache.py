"""The living dialogue over the embedded Valkey and over Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.embedded import EmbeddedValkey
from adapters.storage.redis import RedisCache
from bot.domain.errors import BadSettings
from tests import servers
from tests.contracts.cache import CacheContract, Mortal, OutageContract

PAUSE = timedelta(milliseconds=20)


class MortalValkey(Mortal):
    def __init__(self, valkey: EmbeddedValkey) -> None:
        self._valkey = valkey
        self.url = valkey.url

    async def kill(self) -> None:
        process = self._valkey._process
        assert process is not None
        process.kill()
        process.wait()

    async def start(self) -> None:
        await asyncio.to_thread(self._valkey._restart)


class MortalRedis(Mortal):
    def __init__(self, server: servers.RedisServer) -> None:
        self._server = server
        self.url = server.url

    async def kill(self) -> None:
        self._server.kill()

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)


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
