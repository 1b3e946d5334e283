"""The database hangs: whoever sends hears so in time, nothing is said to be kept, and everybody else goes on.

No stall ends by itself: what is heard in it is heard because of the doors' own deadline.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from bot.app import migrate
from tests import servers
from tests.customer import Customer
from tests.doors.bot import KEY, SOON, Bot, Tab, eventually, png, running_bot, settings_of
from tests.doors.stalls import locked_session, stopped_backends, stopped_writer

Stall = AbstractAsyncContextManager[None]


async def say(tab: Tab, count: int) -> list[str]:
    """Says some things at once, and hears that none of them is kept."""
    ids = [await tab.say("你好") for _ in range(count)]
    refused: list[str] = []
    while len(refused) < count:
        frame = await tab.next()
        assert frame["type"] not in ("accepted", "message"), frame
        if frame["type"] == "error":
            assert frame["code"] == "unavailable", frame
            assert frame["message"]
            refused.append(frame["client_id"])
    assert refused == ids
    return ids


async def post(bot: Bot, session: str, id: str) -> int:
    async with bot.http(KEY) as http:
        answer = await http.post(f"/v1/sessions/{session}/messages", json={"client_id": id, "text": "你好"})
        if answer.status_code == 503:
            assert answer.json()["error"]["code"] == "unavailable"
            assert answer.headers["retry-after"]
        return answer.status_code


async def messages_of(bot: Bot, session: str) -> list[str | None]:
    """The ids of what was said in a session, in order, over all its pages."""
    async with bot.http(KEY) as http:
        log = (await http.get(f"/v1/sessions/{session}/messages", params={"limit": 200})).json()
    return [line["client_id"] for line in log if line["from"] == "customer"]


async def _is(fact: bool) -> bool:
    return fact


async def stall_a_session(bot: Bot, tab: Tab, stall: Stall) -> None:
    """Five messages over the socket and ten over HTTP in a stall; then each of them is sent once more."""
    await tab.say("你好", client_id="first")
    await tab.answer()
    posted = [f"p{number}" for number in range(10)]
    async with stall:
        began = time.monotonic()
        posts = asyncio.gather(*(post(bot, tab.session, id) for id in posted))
        said = await say(tab, 5)
        assert {*await posts} == {503}
        within = time.monotonic() - began
        print(f"all were refused within {within:.2f} s")
        assert within < 8, "the databases' own time-outs would have ended it by then"
        await (await tab.connection.ping())
        async with bot.http() as http:
            assert (await http.get("/health")).status_code == 200
    for id in said:
        await tab.say("你好", client_id=id)
        while (frame := await tab.next())["type"] != "accepted" or frame["client_id"] != id:
            assert frame["type"] != "error"
    for id in posted:
        assert await post(bot, tab.session, id) == 202
    ids = await messages_of(bot, tab.session)
    assert len(ids) == 16
    assert {*ids} == {"first", *said, *posted}
    last = await tab.say("谢谢")
    seq = (await tab.until("accepted", client_id=last))["seq"]
    while (await tab.answer())["seq"] < seq:
        pass


class TestSqlite:
    @pytest.fixture
    async def own(self, tmp_path: Path) -> AsyncIterator[Bot]:
        """A bot whose database hangs without harm to other tests."""
        async with running_bot(tmp_path) as bot:
            yield bot

    async def test_a_stopped_writer(self, own: Bot) -> None:
        """SQLite has one writer: nobody is kept, but everybody can come, look and hear."""
        file = own.app.settings.home / "shotdesk.db"
        async with own.tab() as tab, own.tab() as other:
            await other.say("你好")
            await other.answer()
            stall = while_others_look(own, other, stopped_writer(file))
            await stall_a_session(own, tab, stall)

    async def test_an_upload_into_a_stopped_writer(self, own: Bot) -> None:
        async with own.http() as http:
            async with stopped_writer(own.app.settings.home / "shotdesk.db"):
                answer = await http.post("/v1/pictures", content=png())
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert (await http.post("/v1/pictures", content=png())).status_code == 201

    @pytest.mark.full
    async def test_a_customer_gets_through_a_stall(self, own: Bot) -> None:
        async with Customer(own.address) as customer:
            await customer.ask("你好")
            async with stopped_writer(own.app.settings.home / "shotdesk.db"):
                asking = [asyncio.create_task(customer.ask(f"还在吗 {number}")) for number in range(3)]
                await eventually(lambda: _is(customer.refusals >= 3))
            await asyncio.gather(*asking)
            assert not customer.faults
            said = [line for line in customer.screen.lines.values() if not line.is_answer]
            assert len(said) == 4


@asynccontextmanager
async def while_others_look(bot: Bot, other: Tab, stall: Stall) -> AsyncIterator[None]:
    """Somebody else comes back and reads in the stall."""
    async with stall:
        yield
        async with asyncio.timeout(SOON), bot.tab(session=other.session) as again:
            await again.until("message", seq=2)
            await again.send(type="history", before=2)
            assert len((await again.until("history"))["lines"]) == 1


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.mark.full
class TestPostgresql:
    @pytest.fixture
    async def own(self, url: str, tmp_path: Path) -> AsyncIterator[Bot]:
        await migrate(settings_of(tmp_path, database_url=url))
        async with running_bot(tmp_path, database_url=url) as bot:
            yield bot

    async def test_a_locked_session(self, own: Bot, url: str) -> None:
        """One session hangs; in another one there are questions and answers as ever."""

        async def talk(other: Tab) -> None:
            for _ in range(5):
                await other.say("你好")
                await other.answer()

        @asynccontextmanager
        async def locked_while_others_talk(session: str, other: Tab) -> AsyncIterator[None]:
            async with locked_session(url, session):
                talking = asyncio.create_task(talk(other))
                yield
                await talking

        async with own.tab() as tab, own.tab() as other:
            await stall_a_session(own, tab, locked_while_others_talk(tab.session, other))

    async def test_stopped_backends(self, own: Bot, url: str) -> None:
        async with own.tab() as tab:
            await stall_a_session(own, tab, stopped_backends(url))

    async def test_coming_back_while_backends_are_stopped(self, own: Bot, url: str) -> None:
        async with own.tab() as tab:
            await tab.say("你好")
            await tab.answer()
        async with stopped_backends(url), own.socket() as again:
            await again.send(type="hello", session=tab.session, last_seq=0)
            assert await again.refused() == "unavailable"
        async with Customer(own.address, session=tab.session) as customer:
            await customer.sees(2)
            assert not customer.faults
