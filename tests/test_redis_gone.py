"""Redis goes in mid-dialogue, in every way that it can: nothing is lost, and the dialogue is the same."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import from_url

from adapters.storage.embedded import EmbeddedValkey
from bot.domain.session import MEMORY, WINDOW, Dialogue
from bot.domain.vocabulary import SessionId
from tests import servers
from tests.doors.bot import Bot, Tab, eventually, running_bot, signature
from tests.mortal import Mortal, MortalRedis, MortalValkey

Fault = Callable[[Mortal], Awaitable[None]]
FAULTS: dict[str, Fault] = {
    "flushed": Mortal.flush,
    "killed": lambda server: server.kill(),
    "restarted": lambda server: server.restart(),
    "failed over": Mortal.fail_over_to_an_empty_one,
}


class RedisGone:
    @pytest.fixture
    async def bot(self, tmp_path: Path, server: Mortal) -> AsyncIterator[Bot]:
        async with running_bot(tmp_path / "home", redis_url=server.url) as bot:
            yield bot

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    async def test_the_dialogue_goes_on(self, bot: Bot, server: Mortal, fault: Fault) -> None:
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
        self, bot: Bot, server: Mortal, fault: Fault
    ) -> None:
        async with bot.tab(**signature("C1")) as tab:
            id = await tab.say("为什么扣我钱")
            await tab.until("accepted", client_id=id)
            await fault(server)
            assert "88" in (await tab.answer())["text"]
            assert [line["seq"] for line in tab.lines] == [1, 2]

    async def test_a_dialogue_outlives_an_outage(self, bot: Bot, server: Mortal) -> None:
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
    async def server(self, tmp_path: Path) -> AsyncIterator[Mortal]:
        async with EmbeddedValkey(tmp_path / "valkey") as valkey:
            yield MortalValkey(valkey)


@pytest.mark.full
class TestRedis(RedisGone):
    @pytest.fixture
    def server(self) -> Iterator[Mortal]:
        with servers.redis() as server:
            yield MortalRedis(server)


async def ask(tab: Tab, text: str, *, offers: bool) -> None:
    await tab.say(text)
    answer = await tab.answer()
    assert bool(answer["quick_replies"]) is offers


async def dialogue(bot: Bot, tab: Tab) -> Dialogue:
    """As it is rebuilt from SQL."""
    now = bot.app.clock()
    return Dialogue.of(await bot.app.store.exchanges(SessionId(tab.session), now - MEMORY, WINDOW), now)


async def _answers(server: Mortal) -> bool:
    async with from_url(server.url) as redis:
        return bool(await redis.ping())
