"""A Valkey or a Redis that tests may kill, start again, and empty."""

import asyncio
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from redis.asyncio import from_url

from adapters.storage.embedded import EmbeddedValkey
from tests.servers import RedisServer


class Mortal(ABC):
    """``folder`` is where it keeps what it was told."""

    url: str
    folder: Path

    @abstractmethod
    async def kill(self) -> None: ...

    @abstractmethod
    async def start(self) -> None: ...

    async def flush(self) -> None:
        async with from_url(self.url) as redis:
            await redis.flushall()

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    async def fail_over_to_an_empty_one(self) -> None:
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self.folder / "appendonlydir")
        await self.start()


class MortalValkey(Mortal):
    def __init__(self, valkey: EmbeddedValkey) -> None:
        self._valkey, self.url, self.folder = valkey, valkey.url, valkey._folder

    async def kill(self) -> None:
        process = self._valkey._process
        assert process is not None
        process.kill()
        process.wait()

    async def start(self) -> None:
        await asyncio.to_thread(self._valkey._restart)


class MortalRedis(Mortal):
    def __init__(self, server: RedisServer) -> None:
        self._server, self.url, self.folder = server, server.url, server._base

    async def kill(self) -> None:
        self._server.kill()

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)
