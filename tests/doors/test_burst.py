"""A burst is one turn, without making everyone wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.reading import Picture, Seen
from bot.domain.vocabulary import PictureId, SessionId
from bot.flow.conversation import AT_ONCE
from tests.doors.bot import SOON, Bot, ScriptedReader, Tab, expecting, png, running_bot, signature

PICTURE = PictureId("on-its-way")


async def turns_of(bot: Bot, tab: Tab) -> list[int | None]:
    """The turn that answered each of the customer's messages."""
    log = await bot.app.store.log(SessionId(tab.session), 0)
    return [entry.turn for entry in log if entry.sender == "customer"]


@asynccontextmanager
async def slow_upload(bot: Bot, tab: Tab) -> AsyncIterator[asyncio.Event]:
    """An upload that ends when the event is set; its picture is then sent without a word."""
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        picture = png()
        yield picture[:100]
        await go_on.wait()
        yield picture[100:]

    async def upload() -> None:
        async with bot.http() as http:
            answer = await http.post("/v1/pictures", params={"session": tab.session}, content=body())
        await tab.say("", answer.json()["id"])

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(upload())
        await expecting(bot, tab, True)
        yield go_on


async def test_a_picture_and_the_question_after_it_are_one_turn(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        await tab.say("", await bot.upload(tab.session))
        await tab.until("accepted", seq=1)
        await asyncio.sleep(0.5)  # what the customer takes to type
        await tab.say("为什么扣我钱")
        answer = await tab.answer()
        assert answer["seq"] == 3
        assert "88.00" in answer["text"]
        assert await turns_of(bot, tab) == [1, 1]


@pytest.mark.full
async def test_a_lone_picture_is_answered_after_a_moment(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        await tab.say("", await bot.upload(tab.session))
        assert (await tab.answer())["seq"] == 2


async def test_a_text_that_points_at_a_picture_waits_for_its_upload(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        async with slow_upload(bot, tab) as upload:
            await tab.say("看截图，为什么扣我钱")
            await tab.until("accepted", seq=1)
            await asyncio.sleep(0.3)
            upload.set()
        answer = await tab.answer()
        assert answer["seq"] == 3
        assert await turns_of(bot, tab) == [1, 1]


@pytest.mark.full
async def test_a_text_waits_also_for_the_message_that_names_the_picture(bot: Bot) -> None:
    """The upload is over; the message with the picture is still on its way."""
    async with bot.tab(**signature("C1")) as tab:
        picture = await bot.upload(tab.session)
        await tab.say("为什么扣我钱")
        await tab.until("accepted", seq=1)
        await asyncio.sleep(0.5)
        await tab.say("", picture)
        assert (await tab.answer())["seq"] == 3
        assert await turns_of(bot, tab) == [1, 1]


async def test_a_question_with_its_picture_waits_for_nothing(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        picture = await bot.upload(tab.session)
        assert await bot.app.cache.expects_picture(SessionId(tab.session))
        await tab.say("为什么扣我钱", picture)
        await tab.answer()
        assert not await bot.app.cache.expects_picture(SessionId(tab.session))


async def test_a_plain_text_is_answered_at_once(bot: Bot) -> None:
    """While somebody else's upload is in progress, and within the time that a lone picture would wait."""
    async with bot.tab() as busy, bot.tab() as tab, slow_upload(bot, busy) as upload:
        for _ in range(5):
            await tab.say("你好")
            await tab.answer()
        assert await turns_of(bot, tab) == [1, 2, 3, 4, 5]
        upload.set()


@pytest.mark.full
async def test_however_many_wait_for_their_pictures_a_plain_text_is_answered(bot: Bot) -> None:
    async with AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(bot.tab()) for _ in range(AT_ONCE + 4)]
        for tab in waiting:
            await bot.app.cache.expect_picture(SessionId(tab.session), PICTURE, timedelta(seconds=20))
            await tab.say("你好")
        for tab in waiting:
            await tab.until("accepted", seq=1)
        async with bot.tab() as tab:
            await tab.say("你好")
            await tab.answer()
        for tab in waiting:
            assert await turns_of(bot, tab) == [None]
            await bot.app.cache.expect_picture(SessionId(tab.session), PICTURE, None)
        for tab in waiting:
            await tab.answer()


class EndlessReader(ScriptedReader):
    """Reads until it is told to stop; the next time at once."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        if not self.reading.is_set():
            self.reading.set()
            await asyncio.Event().wait()
        return await super().read(pictures, question, last_question)


@pytest.mark.full
async def test_who_is_told_to_stop_in_the_middle_lets_others_go_on_at_once(tmp_path: Path) -> None:
    reader = EndlessReader()
    async with running_bot(tmp_path, role="web", reader=reader) as bot, bot.tab() as tab:
        session = SessionId(tab.session)
        await tab.say("为什么扣我钱", await bot.upload(session))
        await tab.until("accepted", seq=1)
        attending = asyncio.create_task(bot.app.workers.attend(session))
        async with asyncio.timeout(SOON):
            await reader.reading.wait()
        assert not await bot.app.store.unanswered(9)
        attending.cancel()
        await asyncio.wait({attending})
        assert await bot.app.store.unanswered(9) == [session]
        assert await bot.app.workers.attend(session)
