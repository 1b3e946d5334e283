"""Redis goes in mid-dialogue, in every way that it can: nothing is lost, and the dialogue is the same."""

import asyncio
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import from_url

from adapters.storage.embedded import EmbeddedValkey
from bot.domain.session import MEMORY, WINDOW, Dialogue
from bot.domain.vocabulary import SessionId
from tests import servers
from tests.doors.bot import Bot, Tab, eventually, running_bot, signature


class Server(ABC):
    """A Redis or a Valkey that can go."""

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


class Valkey(Server):
    def __init__(self, valkey: EmbeddedValkey) -> None:
        self._valkey, self.url, self.folder = valkey, valkey.url, valkey._folder

    async def kill(self) -> None:
        process = self._valkey._process
        assert process is not None
        process.kill()
        process.wait()

    async def start(self) -> None:
        await asyncio.to_thread(self._valkey._restart)


class Redis(Server):
    def __init__(self, server: servers.RedisServer) -> None:
        self._server, self.url, self.folder = server, server.url, server._base

    async def kill(self) -> None:
        self._server.kill()

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)


Fault = Callable[[Server], Awaitable[None]]
FAULTS: dict[str, Fault] = {
    "flushed": Server.flush,
    "killed": lambda server: server.kill(),
    "restarted": lambda server: server.restart(),
    "failed over": Server.fail_over_to_an_empty_one,
}


class RedisGone:
    @pytest.fixture
    async def bot(self, tmp_path: Path, server: Server) -> AsyncIterator[Bot]:
        async with running_bot(tmp_path / "home", redis_url=server.url) as bot:
            yield bot

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    async def test_the_dialogue_goes_on(self, bot: Bot, server: Server, fault: Fault) -> None:
        async with bot.tab(**signature("C1")) as tab:
            await ask(tab, "为什么扣我钱", offers=True)
            before = await dialogue(bot, tab)
            await fault(server)
            await tab.say("好的")
            assert "已经为您关闭" in (await tab.answer())["text"]
            assert [line["seq"] for line in tab.lines] == [1, 2, 3, 4]
            assert (await dialogue(bot, tab)).exchanges[:1] == before.exchanges

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    async def test_what_is_asked_just_before_is_answered(
        self, bot: Bot, server: Server, fault: Fault
    ) -> None:
        async with bot.tab(**signature("C1")) as tab:
            id = await tab.say("为什么扣我钱")
            await tab.until("accepted", client_id=id)
            await fault(server)
            assert "88" in (await tab.answer())["text"]
            assert [line["seq"] for line in tab.lines] == [1, 2]

    async def test_a_dialogue_outlives_an_outage(self, bot: Bot, server: Server) -> None:
        """Also what was said while Redis was away is remembered when it is back."""
        async with bot.tab(**signature("C1")) as tab:
            await server.kill()
            await ask(tab, "为什么扣我钱", offers=True)
            await server.start()
            await eventually(lambda: _answers(server))
            await tab.say("好的")
            assert "已经为您关闭" in (await tab.answer())["text"]


class TestValkey(RedisGone):
    @pytest.fixture
    async def server(self, tmp_path: Path) -> AsyncIterator[Server]:
        async with EmbeddedValkey(tmp_path / "valkey") as valkey:
            yield Valkey(valkey)


@pytest.mark.full
class TestRedis(RedisGone):
    @pytest.fixture
    def server(self) -> Iterator[Server]:
        with servers.redis() as server:
            yield Redis(server)


async def ask(tab: Tab, text: str, *, offers: bool) -> None:
    await tab.say(text)
    answer = await tab.answer()
    assert bool(answer["quick_replies"]) is offers


async def dialogue(bot: Bot, tab: Tab) -> Dialogue:
    """As it is rebuilt from SQL."""
    now = bot.app.clock()
    return Dialogue.of(await bot.app.store.exchanges(SessionId(tab.session), now - MEMORY, WINDOW), now)


async def _answers(server: Server) -> bool:
    async with from_url(server.url) as redis:
        return bool(await redis.ping())
