"""When something is down or slow: everybody hears so, soon and once; then everybody gets their answer."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.orders.guarded import GuardedOrders
from bot.domain.errors import ReaderDown, Unavailable
from bot.domain.message import Sender
from bot.domain.pace import Pace
from bot.domain.ports import Live
from bot.domain.reading import Picture, Seen
from bot.domain.records import Records
from bot.domain.vocabulary import CustomerId, PictureId, SessionId
from bot.flow.burst import UPLOAD
from bot.flow.conversation import AT_ONCE
from tests.shop import MoodyOrders, ScriptedReader, Shop, open_shop

NOW = datetime(2025, 12, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
BILL = {"page": "charge_notice", "amount": "88.00 CNY", "charged_at": "2025-12-01T08:30"}
MOMENT = timedelta(milliseconds=10)
LONG = timedelta(hours=1)
SOON = 20.0
"""Seconds after which a test gives up: no measure of anything."""

BRISK = Pace(sweep=MOMENT)
"""Sweeps often, so that a test need not wait for the next time."""

TALKATIVE = Pace(sweep=MOMENT, hold_within=MOMENT, hold_after=MOMENT)
"""Says at once that it takes a moment."""

PICTURE = "您的图片收到了"
SLOW = "还需要一点时间"
DOWN = "订单系统暂时连接不上"
STILL = "订单系统还没有恢复"
PENDING = "系统还在处理"
STOPPED = "已经为您关闭"


# what a test looks at


async def lines(shop: Shop, session: str) -> list[str]:
    """What the customer has on the screen."""
    return [entry.text for entry in await shop.app.store.log(SessionId(session), 0)]


async def said(shop: Shop, session: str) -> list[str]:
    """What the bot has said."""
    log = await shop.app.store.log(SessionId(session), 0)
    return [entry.text for entry in log if entry.sender is Sender.BOT]


async def until_said(shop: Shop, session: str, part: str) -> None:
    async with asyncio.timeout(SOON):
        async for _ in shop.app.cache.watch(SessionId(session)):
            if any(part in line for line in await said(shop, session)):
                return


async def eventually(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not await asyncio.to_thread(happens):  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.01)


async def quiet(shop: Shop) -> None:
    """Waits until every message is answered or put off, every effect is put off, every reply is sent."""
    database = shop.app.settings.home / "shotdesk.db"
    await eventually(lambda: _count(database, *BUSY) == 0)


async def answered(shop: Shop) -> None:
    """Waits until nothing is left to be done."""
    database = shop.app.settings.home / "shotdesk.db"
    await eventually(lambda: _count(database, *OPEN) == 0)


LATER = "> strftime('%Y-%m-%d %H:%M:%f000', 'now')"
FIRST = (
    "turn = (SELECT min(turn) FROM effects AS e WHERE e.session = effects.session AND e.status = 'pending')"
)
BUSY = (
    f"sessions WHERE asked_seq > done_seq AND NOT (holder IS NULL AND lease_until {LATER})",
    f"effects WHERE status = 'pending' AND NOT next_at {LATER} AND (told = 0 OR {FIRST})",
    "messages WHERE delivery = 'queued'",
)
OPEN = (
    "sessions WHERE asked_seq > done_seq",
    "effects WHERE status = 'pending'",
    "messages WHERE delivery = 'queued'",
)


def _count(database: Path, *what: str) -> int:
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        return sum(connection.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in what)


@dataclass
class Library(ScriptedReader):
    """A reader that is slow until it is told to go on, and counts what it reads."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False
    reads: int = 0

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        self.reads += 1
        await self.go_on.wait()
        if self.failing:
            raise ReaderDown
        return await super().read(pictures, question, last_question)


# ten minutes


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.full)])
async def test_ten_minutes_without_the_order_system(tmp_path: Path, trained: Path, times: int) -> None:
    """Pictures and effects under way, a person, somebody who wants one, and a restart in the middle."""
    customers = [
        ("gold", "为什么扣我钱？"),
        ("orders", "查一下我的订单"),
        ("parcel", "我的快递到哪了"),
    ] * times
    reader = ScriptedReader()
    async with open_shop(tmp_path, trained, NOW, BRISK, reader) as shop:
        await shop.load()
        await shop.say("effects", "two", "关闭黄金会员自动续费")
        shop.orders.down |= {"records", "perform"}
        async with shop.app.workers.running():
            await shop.send("effects", "two", "好的")
            for number, (customer, text) in enumerate(customers):
                pictures = [BILL] if customer == "gold" else []
                await shop.send(f"s{number}", customer, text, pictures)
            await shop.send("person", "gold", "为什么扣我钱？")
            await shop.send("wants one", "gold", "为什么扣我钱？")
            await quiet(shop)
            for number in range(len(customers)):
                (told,) = await said(shop, f"s{number}")
                assert DOWN in told
            for _ in range(5):
                await shop.passes(timedelta(minutes=1))
                await quiet(shop)
            await shop.send("s0", "gold", "还没好吗")
            await shop.send("wants one", "gold", "转人工")
            await shop.app.store.take_over(SessionId("person"), "小王")
            await quiet(shop)
            assert [STILL in line for line in await said(shop, "s0")] == [False, True]
            assert "转接人工" in (await said(shop, "wants one"))[-1]
    async with open_shop(tmp_path, trained, shop.hands.now, BRISK, reader) as shop:
        shop.orders.down |= {"records", "perform"}
        async with shop.app.workers.running():
            for _ in range(5):
                await shop.passes(timedelta(minutes=1))
                await quiet(shop)
            shop.orders.down.clear()
            await shop.passes(timedelta(minutes=1))
            await answered(shop)
        for number, (customer, text) in enumerate(customers):
            first, *_, answer = await lines(shop, f"s{number}")
            assert first == text
            assert {"gold": "88.00", "orders": "订单", "parcel": "顺丰"}[customer] in answer
            assert len(await said(shop, f"s{number}")) == (3 if number == 0 else 2)
            turn = await shop.app.store.turn_of(SessionId(f"s{number}"), 1)
            assert turn is not None
            assert turn.turn == 1
        both = await shop.app.store.log(SessionId("s0"), 0)
        assert {entry.turn for entry in both if entry.sender is Sender.CUSTOMER} == {1}
        assert len(await said(shop, "person")) == 1
        assert [target for _, target in shop.orders.performed] == ["SUB-2001"]


async def test_effects_that_wait_are_told_of_and_done_once_in_order(tmp_path: Path, trained: Path) -> None:
    async with open_shop(tmp_path, trained, NOW, BRISK) as shop:
        await shop.load()
        shop.orders.down.add("perform")
        async with shop.app.workers.running():
            for plan in ("黄金会员", "影视会员"):
                await shop.send("s", "two", f"关闭{plan}连续包月的自动续费")
                await quiet(shop)
                await shop.send("s", "two", "好的")
                await quiet(shop)
                assert PENDING in (await said(shop, "s"))[-1]
            for _ in range(10):
                await shop.passes(timedelta(minutes=1))
                await quiet(shop)
            tried = shop.orders.asked["perform"]
            shop.orders.down.clear()
            await shop.passes(timedelta(minutes=1))
            await answered(shop)
        heard = await said(shop, "s")
        assert [sum(part in line for line in heard) for part in (PENDING, STOPPED)] == [2, 2]
        assert [target for _, target in shop.orders.performed] == ["SUB-2001", "SUB-2002"]
        assert tried > 5


async def test_a_yes_is_not_lost_to_an_outage(tmp_path: Path, trained: Path) -> None:
    """What was confirmed is looked at again, and that needs the records."""
    async with open_shop(tmp_path, trained, NOW, BRISK) as shop:
        await shop.load()
        await shop.say("s", "gold", "关闭自动续费")
        shop.orders.down.add("records")
        async with shop.app.workers.running():
            await shop.send("s", "gold", "好的")
            await quiet(shop)
            assert DOWN in (await said(shop, "s"))[-1]
            shop.orders.down.clear()
            await shop.passes(timedelta(minutes=1))
            await answered(shop)
        assert STOPPED in (await said(shop, "s"))[-1]


async def test_after_a_quarter_of_an_hour_a_person_takes_it(tmp_path: Path, trained: Path) -> None:
    async with open_shop(tmp_path, trained, NOW, BRISK) as shop:
        shop.orders.down.add("records")
        async with shop.app.workers.running():
            await shop.send("s", "gold", "查一下我的订单")
            await quiet(shop)
            await shop.passes(timedelta(minutes=16))
            await answered(shop)
        told, handed = await said(shop, "s")
        assert DOWN in told
        assert "转接人工" in handed
        turn = await shop.app.store.turn_of(SessionId("s"), 1)
        assert turn is not None
        assert turn.handoff is not None
        assert turn.handoff.reason == "failure"


async def test_a_burst_is_told_once_and_no_picture_is_read_in_vain(tmp_path: Path, trained: Path) -> None:
    reader = Library()
    reader.go_on.set()
    async with open_shop(tmp_path, trained, NOW, BRISK, reader) as shop:
        await shop.load()
        shop.orders.down.add("records")
        async with shop.app.workers.running():
            await shop.send("s", "gold", "为什么扣我钱？", [BILL], ago=timedelta(0))
            await quiet(shop)
            for _ in range(4):
                await shop.passes(timedelta(seconds=30))
                await quiet(shop)
            assert reader.reads == 1
            for text in ("？", "在吗", "急"):
                await shop.send("s", "gold", text, ago=timedelta(0))
            await quiet(shop)
            shop.orders.down.clear()
            await shop.passes(timedelta(minutes=1))
            await answered(shop)
        told = await said(shop, "s")
        assert [DOWN in told[0], STILL in told[1], "88.00" in told[2]] == [True] * 3
        assert len(told) == 3


async def test_who_needs_no_records_is_answered_all_the_same(tmp_path: Path, trained: Path) -> None:
    async with open_shop(tmp_path, trained, NOW, BRISK) as shop:
        shop.orders.down.add("records")
        async with shop.app.workers.running():
            await shop.send("s", "gold", "您好")
            await answered(shop)
        (greeting,) = await said(shop, "s")
        assert DOWN not in greeting


# an order system that hangs


async def test_a_hung_order_system_is_down(tmp_path: Path, trained: Path) -> None:
    pace = Pace(sweep=MOMENT, look_up_within=timedelta(seconds=1), hold_within=LONG)
    async with open_shop(tmp_path, trained, NOW, pace) as shop:
        shop.orders.hung.add("records")
        async with shop.app.workers.running():
            for number in range(10):
                await shop.send(f"s{number}", "orders", "查一下我的订单")
            await quiet(shop)
            for number in range(10):
                (told,) = await said(shop, f"s{number}")
                assert DOWN in told
            shop.orders.hung.clear()
            await shop.passes(timedelta(minutes=1))
            await answered(shop)


@dataclass
class Gate:
    """An order system at whose gate everybody waits until it opens; ``waiting`` are there now."""

    opens: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    async def pass_through(self) -> Records:
        self.waiting += 1
        try:
            await self.opens.wait()
        finally:
            self.waiting -= 1
        return Records()


class Gated(MoodyOrders):
    gate: Gate

    async def records(self, customer: CustomerId | None) -> Records:
        await self._try("records")
        return await self.gate.pass_through()


def guarded(orders: MoodyOrders, within: timedelta, resumed: list[bool] | None = None) -> GuardedOrders:
    async def resume() -> None:
        if resumed is not None:
            resumed.append(True)

    return GuardedOrders(orders, resume, Pace(look_up_within=within))


async def test_while_it_is_down_one_tries_and_nobody_else_waits() -> None:
    orders, resumed = Gated(None), list[bool]()  # type: ignore[arg-type]  # never asked
    orders.gate = Gate()
    guard = guarded(orders, LONG, resumed)
    orders.down.add("records")
    for _ in range(Pace().down_after):
        with pytest.raises(Unavailable):
            await guard.records(None)
    orders.down.clear()
    trying = asyncio.create_task(guard.records(None))
    await asyncio.sleep(0)
    async with asyncio.timeout(SOON):
        for _ in range(50):
            with pytest.raises(Unavailable):
                await guard.records(None)
    assert orders.gate.waiting == 1
    orders.gate.opens.set()
    await trying
    assert resumed == [True]
    await asyncio.gather(*(guard.records(None) for _ in range(50)))
    assert resumed == [True]


async def test_one_failure_is_nobody_elses() -> None:
    orders = Gated(None)  # type: ignore[arg-type]  # never asked
    orders.gate = Gate()
    guard = guarded(orders, LONG)
    orders.down.add("records")
    with pytest.raises(Unavailable):
        await guard.records(None)
    orders.down.clear()
    both = [asyncio.create_task(guard.records(None)) for _ in range(2)]
    await asyncio.sleep(0)
    assert orders.gate.waiting == 2
    orders.gate.opens.set()
    await asyncio.gather(*both)


async def test_an_answer_in_time_is_waited_for() -> None:
    orders = Gated(None)  # type: ignore[arg-type]  # never asked
    orders.gate = Gate()
    for _ in range(Pace().down_after + 1):
        with pytest.raises(Unavailable):
            await guarded(orders, MOMENT).records(None)
    assert orders.gate.waiting == 0


# slow readers


@pytest.mark.parametrize("failing", [False, True])
async def test_a_slow_reader_is_announced_once_then_answered(
    tmp_path: Path, trained: Path, failing: bool
) -> None:
    reader = Library(failing=failing)
    async with open_shop(tmp_path, trained, NOW, TALKATIVE, reader) as shop:
        await shop.load()
        async with shop.app.workers.running():
            await shop.send("s", "gold", "为什么扣我钱？", [BILL])
            await until_said(shop, "s", PICTURE)
            await shop.send("s", "gold", "快点")  # restarts the turn
            reader.go_on.set()
            await answered(shop)
        first, *_, answer = await said(shop, "s")
        assert PICTURE in first
        assert len(await said(shop, "s")) == 2
        assert ("看不清" if failing else "88.00") in answer


async def test_under_a_person_nothing_is_announced(tmp_path: Path, trained: Path) -> None:
    reader = Library()
    async with open_shop(tmp_path, trained, NOW, TALKATIVE, reader) as shop:
        await shop.send("s", "gold", "您好")
        await shop.app.workers.attend(SessionId("s"))
        await shop.app.store.take_over(SessionId("s"), "小王")
        async with shop.app.workers.running():
            await shop.send("s", "gold", "为什么扣我钱？", [BILL])
            await eventually(lambda: reader.reads > 0)
            reader.go_on.set()
            await answered(shop)
        assert PICTURE not in "".join(await lines(shop, "s"))


async def test_one_turn_by_itself_fails_honestly_at_once(tmp_path: Path, trained: Path) -> None:
    """``shotdesk ask``: there is nobody who would come again."""
    async with open_shop(tmp_path, trained, NOW, TALKATIVE) as shop:
        shop.orders.down.add("records")
        turn = await shop.say("s", "gold", "查一下我的订单")
        assert turn.handoff is not None
        assert len(await said(shop, "s")) == 1


async def test_a_hung_reader_holds_up_no_text(tmp_path: Path, trained: Path) -> None:
    reader = Library()
    async with open_shop(tmp_path, trained, NOW, BRISK, reader) as shop, shop.app.workers.running():
        for number in range(AT_ONCE + 1):
            await shop.send(f"picture {number}", None, "为什么扣我钱？", [BILL])
        await eventually(lambda: reader.reads == AT_ONCE)
        await shop.send("text", None, "您好")
        await until_said(shop, "text", "您好")
        reader.go_on.set()
        await answered(shop)


@pytest.mark.parametrize(("within", "shown"), [(timedelta(0), True), (LONG, False)])
async def test_thinking_is_shown_if_it_takes_a_while(
    tmp_path: Path, trained: Path, within: timedelta, shown: bool
) -> None:
    async with open_shop(tmp_path, trained, NOW, Pace(show_within=within)) as shop:
        watch = shop.app.cache.watch(SessionId("s"))
        await anext(watch)
        await shop.say("s", None, "您好")
        news = list[Live]()
        async with asyncio.timeout(SOON):
            while not news or news[-1] != Live("entry", 2):
                news.append(await anext(watch))
    assert (Live("thinking", 1) in news) is shown


# bursts


async def test_news_wake_who_waits_for_the_rest_of_a_burst(tmp_path: Path, trained: Path) -> None:
    async with open_shop(tmp_path, trained, NOW, Pace(burst_poll=LONG)) as shop:
        await shop.load()
        session = SessionId("s")
        await shop.app.cache.expect_picture(session, PictureId("on its way"), LONG)
        await shop.send("s", "gold", "为什么扣我钱？", ago=timedelta(0))
        turn = asyncio.create_task(shop.app.workers.attend(session))
        await eventually(
            lambda: _count(shop.app.settings.home / "shotdesk.db", "sessions WHERE epoch > 0") == 1
        )
        await shop.send("s", "gold", "", [BILL], ago=timedelta(0))
        await shop.app.cache.expect_picture(session, PictureId("on its way"), None)
        await shop.app.cache.announce(session, Live("idle"))
        async with asyncio.timeout((UPLOAD / 2).total_seconds()):
            taken = await turn
        assert taken is not None
        assert len(taken.draft.turn.readings) == 1


# clocks


async def test_a_clock_that_jumps_back_makes_nobody_wait(tmp_path: Path, trained: Path) -> None:
    async with open_shop(tmp_path, trained, NOW, BRISK) as shop:
        await shop.load()
        async with shop.app.workers.running():
            await shop.send("s", "gold", "", [BILL], ago=-LONG)  # as if it came an hour from now
            await answered(shop)
            shop.orders.down.add("records")
            await shop.send("s", "gold", "查一下我的订单")
            await quiet(shop)
            shop.orders.down.clear()
            await shop.passes(-LONG)
            await answered(shop)
        assert len(await said(shop, "s")) == 3
