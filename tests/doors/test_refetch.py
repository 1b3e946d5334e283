"""What cannot be replayed is said, and older lines can be asked for: never somebody else's."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, update

from adapters.database import Database
from adapters.storage.tables import messages, sessions
from bot.domain.message import Address, Sender
from bot.domain.vocabulary import CustomerId, SessionId
from bot.doors.widget import LATEST, PAGE, REPLAYED
from tests.customer import Customer
from tests.doors.bot import SECRET, Bot, signature
from tests.screen import Line


class Shelf:
    """The bot's own database, behind its back."""

    def __init__(self, bot: Bot) -> None:
        self._bot, self._database = bot, Database(bot.app.settings.database)

    async def session(self, lines: int) -> SessionId:
        """A session in which a person has said that many lines."""
        id = SessionId(secrets.token_urlsafe(16))
        await self._bot.app.store.open(Address(channel="web", account="default", user=id), None, id)
        await self.add(id, 1, lines)
        return id

    async def add(self, session: str, first: int, last: int) -> None:
        """Lines that nobody announces."""
        rows = [
            {"session": session, "seq": seq, "sender": Sender.AGENT, "text": f"第{seq}行", "delivery": "sent"}
            | {"attachments": (), "quick_replies": (), "at": datetime.now(UTC)}
            for seq in range(first, last + 1)
        ]
        if rows:
            await self._database.write(lambda tx: tx.execute(insert(messages), rows))
        await self._set_last(session, last)

    async def rewind(self, session: str, last: int) -> None:
        """As after a copy of the database was put back, that ends at a line."""
        beyond = delete(messages).where(messages.c.session == session, messages.c.seq > last)
        await self._database.write(lambda tx: tx.execute(beyond))
        await self._set_last(session, last)

    async def _set_last(self, session: str, last: int) -> None:
        ends = {"last_seq": last, "asked_seq": last, "done_seq": last}
        await self._database.write(
            lambda tx: tx.execute(update(sessions).where(sessions.c.id == session).values(**ends))
        )

    async def close(self) -> None:
        await self._database.close()


@pytest.fixture
async def shelf(bot: Bot) -> AsyncIterator[Shelf]:
    shelf = Shelf(bot)
    yield shelf
    await shelf.close()


async def test_a_client_that_missed_much_gets_all_of_it(bot: Bot, shelf: Shelf) -> None:
    session = await shelf.session(REPLAYED + 7)
    async with bot.tab(session=session, last_seq=7) as tab:
        assert tab.hello["after"] == 7
        await tab.until("message", seq=REPLAYED + 7)
        assert [line["seq"] for line in tab.lines] == [*range(8, REPLAYED + 8)]


@pytest.mark.parametrize("last_seq", [0, 6, REPLAYED + 8, 10**30])
async def test_a_client_that_cannot_go_on_is_told_and_gets_the_latest(
    bot: Bot, shelf: Shelf, last_seq: int
) -> None:
    """It has missed too much, or it has seen lines that the log no longer has."""
    end = REPLAYED + 7
    session = await shelf.session(end)
    async with bot.socket() as tab:
        await tab.send(type="hello", session=session, last_seq=last_seq)
        assert await tab.next() == {
            "type": "hello",
            "session": session,
            "last_seq": end,
            "after": end - LATEST,
        }
        assert await tab.refused() == "refetch"
        await tab.until("message", seq=end)
        assert [line["seq"] for line in tab.lines] == [*range(end - LATEST + 1, end + 1)]
        await tab.say("你好")
        assert (await tab.answer())["seq"] == end + 2


async def test_a_session_that_is_gone_is_said_and_begins_again_under_its_name(bot: Bot) -> None:
    session = secrets.token_urlsafe(16)
    async with bot.socket() as tab:
        await tab.send(type="hello", session=session, last_seq=4)
        assert await tab.next() == {"type": "hello", "session": session, "last_seq": 0, "after": 0}
        assert await tab.refused() == "refetch"
        await tab.say("你好")
        await tab.until("message", seq=2)


async def test_a_new_session_begins_at_its_beginning_whatever_the_client_has_seen(bot: Bot) -> None:
    async with bot.tab(last_seq=10**30) as tab:
        assert tab.hello["after"] == 0
        await tab.say("你好")
        await tab.until("message", seq=2)
        assert [line["seq"] for line in tab.lines] == [1, 2]


async def test_a_client_that_misses_too_much_in_mid_socket_is_told(bot: Bot, shelf: Shelf) -> None:
    async with Customer(bot.address) as customer:
        await customer.ask("你好")
        await shelf.add(str(customer.session), 3, REPLAYED + 3)
        await customer.ask("还在吗")
        assert customer.refetches == 1
        assert [*customer.screen.lines] == [*range(REPLAYED + 6 - LATEST - 1, REPLAYED + 6)]
        assert not customer.faults


async def test_a_database_that_is_put_back_under_an_open_socket_is_said(bot: Bot, shelf: Shelf) -> None:
    async with Customer(bot.address) as customer:
        for _ in range(3):
            await customer.ask("你好")
        await shelf.rewind(str(customer.session), 2)
        answer = await customer.ask("还在吗")
        assert answer.seq == 4
        assert customer.refetches == 1
        assert [line.text for line in customer.screen.lines.values() if not line.is_answer] == [
            "你好",
            "还在吗",
        ]
        assert not customer.faults


async def test_history_leads_back_to_the_beginning(bot: Bot, shelf: Shelf) -> None:
    end = 2 * PAGE + 30
    session = await shelf.session(end)
    async with Customer(bot.address, session=session) as customer:
        await customer.sees(end)
        shown = [*customer.screen.lines.values()]
        found: list[Line] = []
        before = end + 1
        while page := await customer.history(before):
            assert len(page) <= PAGE
            found, before = page + found, page[0].seq
        assert found == shown
        assert [line.seq for line in await customer.history(10**30)] == [*range(end - PAGE + 1, end + 1)]
        assert not customer.faults


async def test_history_of_a_session_in_which_nothing_was_said_is_empty(bot: Bot) -> None:
    async with bot.tab() as tab:
        await tab.send(type="history", before=5)
        assert await tab.next() == {"type": "history", "before": 5, "lines": []}


async def test_history_is_for_those_alone_whose_session_it_is(bot: Bot) -> None:
    async with bot.socket() as stranger:
        await stranger.send(type="history", before=5)
        assert await stranger.refused() == "bad_request"
    async with bot.tab() as visitor:
        await visitor.say("你好")
        await visitor.answer()
        address = Address(channel="web", account="default", user=visitor.session)
        await bot.app.store.open(address, CustomerId("C1"))
        await visitor.send(type="history", before=100)
        refused = await visitor.until("error")
        assert (refused["code"], refused["before"]) == ("session_of_another_customer", 100)
        async with Customer(bot.address, session=visitor.session, customer="C1", secret=SECRET) as customer:
            assert [line.seq for line in await customer.history(2)] == [1]


async def test_two_customers_cannot_share_a_session_that_is_not_born_yet(bot: Bot) -> None:
    session = secrets.token_urlsafe(16)
    async with (
        bot.tab(session=session, **signature("C1")) as first,
        bot.tab(session=session, **signature("C2")) as second,
    ):
        await first.say("为什么扣我钱")
        await first.answer()
        assert (await second.until("error"))["code"] == "session_of_another_customer"
        assert not second.lines


@pytest.mark.parametrize("before", [0, -1, None, "x", 1.5])
async def test_a_bad_history_frame_is_refused(bot: Bot, before: object) -> None:
    async with bot.tab() as tab:
        await tab.send(type="history", before=before)
        assert await tab.refused() == "bad_request"
