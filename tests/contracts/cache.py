"""What every SessionCache must do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.storage.redis import RedisCache
from bot.domain.errors import Unavailable
from bot.domain.ports import Live, SessionCache
from bot.domain.reading import Fact, Reading
from bot.domain.session import Dialogue, Exchange, Option
from bot.domain.vocabulary import PictureId, SessionId
from tests.mortal import Mortal

ONE, TWO = SessionId("s1"), SessionId("s2")
LOOK = Live("entry")

FACT = Fact(name="amount", value="88.00", unit="CNY", text="-88.00", box=(1, 2, 3, 4), confidence=0.9)
EXCHANGE = Exchange(
    turn=1,
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    heard="扣了88",
    language="zh-Hans",
    intent="explain_charge",
    reading=Reading(page="charge_notice", language="zh", facts=(FACT,), reader="ocr"),
    reply="这是会员续费",
    about=("charge CH-1",),
    options=(Option(label="黄金会员", ref="subscription SUB-1"),),
)
DIALOGUE = Dialogue(exchanges=(EXCHANGE,))


async def begin(watch: AsyncIterator[Live]) -> AsyncIterator[Live]:
    """A watch that is known to have begun."""
    assert await anext(watch) == LOOK
    return watch


async def following(workers: AsyncIterator[SessionId]) -> SessionId:
    return await anext(workers)


async def come_back(cache: SessionCache) -> None:
    """A cache that was away is used again after a moment."""
    for _ in range(500):
        if await cache.allow("coming back", 0, timedelta(milliseconds=1)):  # it allows when it is away
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("it did not come back")


class CacheContract:
    """``cache`` and ``other`` are two processes' views; ``kill`` and ``start`` do so to the server."""

    async def test_it_remembers_one_version(self, cache: SessionCache, other: SessionCache) -> None:
        assert await cache.recall(ONE, 1) is None
        await cache.remember(ONE, 1, DIALOGUE)
        assert await other.recall(ONE, 1) == DIALOGUE
        assert await other.recall(ONE, 2) is None
        assert await other.recall(TWO, 1) is None
        await other.remember(ONE, 2, Dialogue())
        assert await cache.recall(ONE, 2) == Dialogue()
        assert await cache.recall(ONE, 1) is None

    async def test_a_wakeup_reaches_one_worker(self, cache: SessionCache, other: SessionCache) -> None:
        await cache.wake(ONE)
        first, second = cache.wakeups(), other.wakeups()
        assert await anext(first) == ONE
        waiting = {asyncio.create_task(following(worker)) for worker in (first, second)}
        await other.wake(TWO)
        done, idle = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [TWO]
        for task in idle:
            task.cancel()
        await asyncio.gather(*idle, return_exceptions=True)

    async def test_news_reach_every_process(self, cache: SessionCache, other: SessionCache) -> None:
        here, there = await begin(cache.watch(ONE)), await begin(other.watch(ONE))
        elsewhere = await begin(other.watch(TWO))
        await cache.announce(ONE, Live("thinking"))
        await cache.announce(ONE, Live("entry", 3))
        await cache.announce(TWO, Live("idle"))
        for watch in (here, there):
            assert [await anext(watch), await anext(watch)] == [Live("thinking"), Live("entry", 3)]
        assert await anext(elsewhere) == Live("idle")

    async def test_a_second_watcher_of_a_session_hears_too(self, cache: SessionCache) -> None:
        first = await begin(cache.watch(ONE))
        second = await begin(cache.watch(ONE))
        await cache.announce(ONE, Live("human"))
        assert [await anext(first), await anext(second)] == [Live("human")] * 2

    async def test_watching_again_after_all_have_left(self, cache: SessionCache) -> None:
        for _ in range(3):
            watch = await begin(cache.watch(ONE))
            await cache.announce(ONE, Live("waiting"))
            assert await anext(watch) == Live("waiting")
            del watch

    async def test_a_slow_watcher_is_told_to_look(self, cache: SessionCache) -> None:
        slow, quick = await begin(cache.watch(ONE)), await begin(cache.watch(ONE))
        for seq in range(1, 101):
            await cache.announce(ONE, Live("entry", seq))
            assert await anext(quick) == Live("entry", seq)
        told = [await anext(slow)]
        while told[-1] != Live("entry", 100):
            told.append(await anext(slow))
        assert LOOK in told

    async def test_thousands_may_watch(self, cache: SessionCache) -> None:
        sessions = [SessionId(f"many-{number}") for number in range(3000)]
        watches = [await begin(cache.watch(session)) for session in sessions]
        await cache.announce(sessions[1234], Live("entry", 1))
        assert await anext(watches[1234]) == Live("entry", 1)

    async def test_uploads_are_known(self, cache: SessionCache, other: SessionCache) -> None:
        assert not await cache.expects_picture(ONE)
        await cache.expect_picture(ONE, PictureId("p1"), timedelta(seconds=30))
        await cache.expect_picture(ONE, PictureId("p2"), timedelta(seconds=30))
        await cache.expect_picture(ONE, PictureId("p1"), None)
        assert await other.expects_picture(ONE)
        assert not await other.expects_picture(TWO)
        await cache.expect_picture(ONE, PictureId("p2"), timedelta(milliseconds=1))
        await asyncio.sleep(0.01)
        assert not await other.expects_picture(ONE)

    async def test_uses_are_limited(self, cache: SessionCache, other: SessionCache) -> None:
        views = (cache, other, cache, other)
        assert [await view.allow("a", 3, timedelta(hours=1)) for view in views] == [True, True, True, False]
        assert await cache.allow("b", 3, timedelta(hours=1))
        assert await cache.allow("c", 1, timedelta(milliseconds=50))
        await asyncio.sleep(0.1)
        assert await cache.allow("c", 1, timedelta(milliseconds=50))

    async def test_it_answers_and_has_no_complaints(self, cache: SessionCache) -> None:
        await cache.ping()
        assert await cache.complaints() == []

    async def test_forgetting_everything_loses_nothing(self, cache: RedisCache) -> None:
        await cache.remember(ONE, 1, DIALOGUE)
        workers = cache.wakeups()
        await cache.wake(ONE)
        assert await anext(workers) == ONE
        watch = await begin(cache.watch(ONE))
        await cache._redis.flushall()
        assert await cache.recall(ONE, 1) is None
        await cache.remember(ONE, 1, DIALOGUE)
        assert await cache.recall(ONE, 1) == DIALOGUE
        await cache.wake(TWO)
        assert await anext(workers) == TWO
        await cache.announce(ONE, Live("idle"))
        assert await anext(watch) == Live("idle")


class OutageContract:
    async def test_nothing_fails_while_it_is_away(self, cache: RedisCache, server: Mortal) -> None:
        await cache.remember(ONE, 7, DIALOGUE)
        watch = await begin(cache.watch(ONE))
        workers = cache.wakeups()
        await cache.wake(ONE)
        assert await anext(workers) == ONE
        await server.kill()
        assert await cache.recall(ONE, 7) is None
        await cache.remember(ONE, 7, DIALOGUE)
        await cache.wake(ONE)
        await cache.announce(ONE, Live("entry", 1))
        await cache.expect_picture(ONE, PictureId("p1"), timedelta(seconds=30))
        assert not await cache.expects_picture(ONE)
        assert await cache.allow("anything", 0, timedelta(hours=1))
        with pytest.raises(Unavailable):
            await cache.ping()
        (complaint,) = await cache.complaints()
        assert "does not answer" in complaint
        assert cache.failures["recall"] == 1
        await server.start()
        await come_back(cache)
        assert await cache.recall(ONE, 7) == DIALOGUE
        async with asyncio.timeout(10):
            assert await anext(watch) == LOOK
            await cache.wake(TWO)
            assert await anext(workers) == TWO

    async def test_it_keeps_the_dialogue_over_a_restart(self, cache: RedisCache, server: Mortal) -> None:
        await cache.remember(ONE, 7, DIALOGUE)
        await server.kill()
        await server.start()
        await come_back(cache)
        assert await cache.recall(ONE, 7) == DIALOGUE

    async def test_what_could_not_be_announced_is_told_later(
        self, cache: RedisCache, other: SessionCache
    ) -> None:
        """Where the watcher's own connection holds, and no new subscription makes it look."""
        watch = await begin(other.watch(ONE))
        await cache._redis.acl_setuser("default", enabled=True, commands=["-publish"])
        await cache.announce(ONE, Live("entry", 1))
        await cache._redis.acl_setuser("default", enabled=True, commands=["+publish"])
        async with asyncio.timeout(10):
            assert await anext(watch) == LOOK

    async def test_it_may_be_away_from_the_beginning(self, cache: RedisCache, server: Mortal) -> None:
        await server.kill()
        watch, workers = cache.watch(ONE), cache.wakeups()
        waking = asyncio.create_task(following(workers))
        assert await cache.recall(ONE, 7) is None
        await server.start()
        async with asyncio.timeout(10):
            await begin(watch)
            await come_back(cache)
            await cache.wake(ONE)
            assert await waking == ONE
