"""What the workers do when hints get lost, senders die and turns take long: nobody is left without an answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.app import App, Port, open_app
from bot.domain.errors import Unavailable
from bot.domain.message import Accepted, Address, Attachment, Entry, Message, Sender
from bot.domain.pace import Pace
from bot.domain.ports import Committed, Outgoing
from bot.domain.reading import Picture, Seen
from bot.domain.session import MEMORY, Dialogue
from bot.domain.vocabulary import CustomerId, PictureId, SessionId
from tests.doors.bot import KeywordClassifier, ScriptedReader, eventually, png, settings_of

LEASE = timedelta(seconds=0.3)
QUICK = Pace(
    turn_lease=LEASE,
    reply_lease=LEASE,
    effect_lease=LEASE,
    send_again=(timedelta(seconds=0.05),) * 5,
    sweep=timedelta(seconds=0.05),
)


@dataclass
class Faults:
    """What goes wrong; each port is wrapped by what makes it go wrong."""

    hints_lost: bool = False
    refusals: int = 0
    """How often the platform does not take a reply."""
    loop_errors: int = 0
    """How often the sweeper meets what nobody thought of."""
    commits_lost: int = 0
    """How often the database goes away before a turn is kept."""
    memories_lost: int = 0
    """How often the cache fails, as nobody thought it would, when a turn has been kept."""
    answers_lost: int = 0
    """How often it goes away when it has kept one."""
    taken: list[Outgoing] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def __call__(self, name: str, port: Port, /) -> Port:
        kinds: dict[str, Any] = {"cache": Hints, "channel.web": Platform, "store": Database}
        return cast(Port, kinds[name](port, self)) if name in kinds else port


class Inner:
    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Hints(Inner):
    async def remember(self, session: SessionId, version: int, dialogue: Dialogue) -> None:
        if dialogue.exchanges and self._faults.memories_lost:
            self._faults.memories_lost -= 1
            raise RuntimeError
        await self._inner.remember(session, version, dialogue)

    async def wake(self, *args: Any) -> None:
        if not self._faults.hints_lost:
            await self._inner.wake(*args)


class Platform(Inner):
    async def send(self, outgoing: Outgoing) -> None:
        self._faults.tried.append(outgoing.key)
        if self._faults.refusals:
            self._faults.refusals -= 1
            raise Unavailable
        await self._inner.send(outgoing)
        self._faults.taken.append(outgoing)


class Database(Inner):
    async def undelivered(self, limit: int) -> Sequence[SessionId]:
        if self._faults.loop_errors:
            self._faults.loop_errors -= 1
            raise RuntimeError
        return cast(Sequence[SessionId], await self._inner.undelivered(limit))

    async def commit(self, *args: Any, **kwargs: Any) -> Committed:
        if self._faults.commits_lost:
            self._faults.commits_lost -= 1
            raise Unavailable
        kept: Committed = await self._inner.commit(*args, **kwargs)
        if self._faults.answers_lost:
            self._faults.answers_lost -= 1
            raise Unavailable
        return kept


class SlowReader(ScriptedReader):
    """Takes several leases for a picture."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        self.reads += 1
        await asyncio.sleep(4 * LEASE.total_seconds())
        return await super().read(pictures, question, last_question)


@asynccontextmanager
async def opened(home: Path, faults: Faults, reader: ScriptedReader | None = None) -> AsyncIterator[App]:
    async with open_app(
        settings_of(home),
        migrated=True,
        readers=[reader or ScriptedReader()],
        classifier=KeywordClassifier(),
        pace=QUICK,
        wrap=faults,
    ) as app:
        yield app


async def send(app: App, session: str, text: str = "为什么扣我钱", *pictures: PictureId) -> Accepted:
    message = Message(
        address=Address(channel="web", account="default", user=session),
        key=app.ids(),
        text=text,
        attachments=tuple(Attachment(id=id) for id in pictures),
        at=app.clock(),
    )
    return await app.inbox.receive(message, CustomerId("C1"), SessionId(session))


async def answers(app: App, session: str) -> list[Entry]:
    return [e for e in await app.store.log(SessionId(session), 0) if e.sender is Sender.BOT]


async def test_a_lost_hint_is_made_good(tmp_path: Path) -> None:
    async with opened(tmp_path, Faults(hints_lost=True)) as app, app.workers.running():
        await send(app, "s1")
        await eventually(lambda: _has(app, "s1", 1))


async def test_a_reply_that_was_not_taken_is_tried_again_under_its_key(tmp_path: Path) -> None:
    faults = Faults(refusals=2)
    async with opened(tmp_path, faults) as app, app.workers.running():
        await send(app, "s1")
        await eventually(lambda: _are_taken(faults, 1))
        await send(app, "s1")
        await eventually(lambda: _are_taken(faults, 2))
    first, second = (outgoing.key for outgoing in faults.taken)
    assert faults.tried == [first, first, first, second]
    assert first != second


async def test_a_reply_whose_sender_died_is_sent_by_another(tmp_path: Path) -> None:
    faults = Faults()
    async with opened(tmp_path, faults) as app:
        await send(app, "s1")
        claim = await app.inbox.claim(SessionId("s1"))
        assert claim is not None
        taken = await app.workers._conversation.turn(claim)
        assert taken.kept.outgoing is not None
        assert not faults.taken
        async with app.workers.running():
            await eventually(lambda: _are_taken(faults, 1))
        assert faults.taken[0].key == taken.kept.outgoing.key


async def test_a_loop_that_fails_goes_on(tmp_path: Path) -> None:
    faults = Faults(refusals=1, loop_errors=3)
    async with opened(tmp_path, faults) as app, app.workers.running():
        await send(app, "s1")
        await eventually(lambda: _are_taken(faults, 1))
    assert faults.loop_errors == 0


@pytest.mark.parametrize(
    "faults", [Faults(commits_lost=2), Faults(answers_lost=1), Faults(commits_lost=5), Faults(answers_lost=5)]
)
async def test_a_turn_outlives_a_database_that_goes_away_at_its_commit(
    tmp_path: Path, faults: Faults
) -> None:
    async with opened(tmp_path, faults) as app, app.workers.running():
        await send(app, "s1", "你好")
        await eventually(lambda: _has(app, "s1", 1))
        await eventually(lambda: _are_taken(faults, 1))
        turn = await app.store.turn_of(SessionId("s1"), 1)
        assert turn is not None
        assert (turn.turn, turn.intent, turn.handoff) == (1, "greet", None)
        exchanges = await app.store.exchanges(SessionId("s1"), app.clock() - MEMORY, 9)
        await send(app, "s1", "你好")
        await eventually(lambda: _has(app, "s1", 2))
        again = await app.store.exchanges(SessionId("s1"), app.clock() - MEMORY, 9)
        assert again[:1] == exchanges


async def test_what_fails_after_the_commit_changes_nothing_of_the_turn(tmp_path: Path) -> None:
    faults = Faults(memories_lost=1)
    async with opened(tmp_path, faults) as app:
        async with app.workers.running():
            await send(app, "s1", "你好")
            await eventually(lambda: _are_taken(faults, 1))
        kept = await app.store.exchanges(SessionId("s1"), app.clock() - MEMORY, 9)
        await send(app, "s1", "你好")
        claim = await app.inbox.claim(SessionId("s1"))
        assert claim is not None
        assert list(claim.session.dialogue.exchanges) == list(kept)
        assert [(exchange.turn, exchange.intent) for exchange in kept] == [(1, "greet")]


async def test_a_turn_may_take_longer_than_its_lease(tmp_path: Path) -> None:
    reader = SlowReader()
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(opened(tmp_path, Faults(), reader))
        other = await stack.enter_async_context(opened(tmp_path, Faults(), reader))
        await stack.enter_async_context(app.workers.running())
        await stack.enter_async_context(other.workers.running())
        shown = await app.pictures.check(png())
        await app.media.keep(shown, "test")
        await send(app, "s1", "为什么扣我钱", shown.id)
        await eventually(lambda: _has(app, "s1", 1))
        assert reader.reads == 1


async def _has(app: App, session: str, count: int) -> bool:
    return len([e for e in await answers(app, session) if e.turn]) == count


async def _are_taken(faults: Faults, count: int) -> bool:
    return len(faults.taken) == count
