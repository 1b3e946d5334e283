"""The loops: turns, effects, replies, and the sweepers that finish what a crash left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog

from bot.domain.errors import Unavailable
from bot.domain.pace import Pace
from bot.domain.ports import MediaStore, SessionCache, Store
from bot.domain.session import Draft
from bot.domain.vocabulary import SessionId
from bot.flow.actions import Actions
from bot.flow.conversation import ConversationManager, Taken
from bot.flow.outbox import Outbox
from bot.telemetry import TURN_SECONDS, TURNS

log = structlog.get_logger()

AT_ONCE = 500
"""Sessions that one process looks after side by side; most of them wait for the rest of a burst."""

CANCELLED_AGAIN = timedelta(seconds=3)
"""redis-py can swallow a cancellation that comes together with an answer. Letting go of a lease takes less."""


Id = TypeVar("Id", bound=str)


class Workers:
    """Answers sessions, performs effects and delivers replies, until it is told to stop."""

    def __init__(
        self,
        store: Store,
        cache: SessionCache,
        media: MediaStore,
        conversation: ConversationManager,
        actions: Actions,
        outbox: Outbox,
        pace: Pace = Pace(),
    ) -> None:
        self._store, self._cache, self._media = store, cache, media
        self._conversation, self._actions, self._outbox = conversation, actions, outbox
        self._pace = pace
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._visits: dict[str, asyncio.Task[None]] = {}
        self._once_more: set[str] = set()

    async def attend(self, session: SessionId, *, patient: bool = False) -> Taken | None:
        """One visit: a turn, if there is one to take, the effect that it confirmed, the replies.

        ``patient``: somebody will come again, so that a turn may be put off.
        """
        taken = await self._conversation.handle(session, patient=patient)
        if taken is None:
            await self._outbox.deliver(session)
            return None
        _count(taken.draft)
        if effect := taken.draft.effect:
            await self._actions.perform(effect.proposal.id, timedelta(milliseconds=taken.draft.turn.ms))
        await self._outbox.deliver(session, taken.kept.outgoing)
        return taken

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs every loop for as long as the block lasts; then lets what is under way finish, within its grace."""
        loops = [
            asyncio.create_task(self._again_and_again(loop))
            for loop in (
                self._follow_wakeups,
                partial(self._sweep, self._store.unanswered, self._answer),
                partial(self._sweep, self._store.due_effects, self._actions.perform),
                partial(self._sweep, self._store.undelivered, self._outbox.deliver),
                self._clean,
            )
        ]
        try:
            yield
        finally:
            await _stop(loops, within=timedelta(0))
            self._once_more.clear()
            await _stop([*self._visits.values()], within=self._pace.grace)

    async def _again_and_again(self, loop: Callable[[], Awaitable[None]]) -> None:
        """A loop that failed, for whatever reason, must not leave customers without an answer for ever."""
        while True:
            try:
                await loop()
            except Unavailable as error:
                log.warning("loop.unavailable", error=error.code)
            except Exception as error:  # whatever it is: it is written down, and the loop goes on
                log.exception("loop.failed", error=type(error).__name__)
            await asyncio.sleep(self._pace.sweep.total_seconds())

    async def _follow_wakeups(self) -> None:
        """Takes no more than it can work on: what is left in the stream goes to other processes."""
        async for session in self._cache.wakeups():
            self._visit(self._answer, session)
            while len(self._visits) >= AT_ONCE:
                await asyncio.wait(self._visits.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _sweep(
        self, due: Callable[[int], Awaitable[Iterable[Id]]], visit: Callable[[Id], Awaitable[None]]
    ) -> None:
        """Finds what a lost hint or a dead worker left."""
        while True:
            await asyncio.sleep(self._pace.sweep.total_seconds())
            for id in await due(AT_ONCE):
                self._visit(visit, id)

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(self._pace.clean.total_seconds())
            log.info("media.swept", removed=await self._media.sweep())

    async def _answer(self, session: SessionId) -> None:
        while (taken := await self.attend(session, patient=True)) and taken.kept.more:
            pass

    def _visit(self, visit: Callable[[Id], Awaitable[None]], id: Id) -> None:
        """Starts a visit in a task of its own; one that is under way already looks once more when it ends."""
        name = f"{visit.__qualname__} {id}"
        if name in self._visits:
            self._once_more.add(name)
            return
        task = asyncio.create_task(self._guarded(visit, id), name=name)
        self._visits[name] = task
        task.add_done_callback(lambda _: self._visited(name, visit, id))

    def _visited(self, name: str, visit: Callable[[Id], Awaitable[None]], id: Id) -> None:
        del self._visits[name]
        if name in self._once_more:
            self._once_more.remove(name)
            self._visit(visit, id)

    async def _guarded(self, visit: Callable[[Id], Awaitable[None]], id: Id) -> None:
        async with self._slots:
            try:
                await visit(id)
            except Exception as error:  # one session's trouble is not another's; the sweeper comes again
                log.exception("visit.failed", visit=visit.__qualname__, id=id, error=type(error).__name__)


async def _stop(tasks: Sequence[asyncio.Task[None]], within: timedelta) -> None:
    """Waits a while for tasks to end by themselves, then ends them: leases run out, others go on."""
    wait, late = within, set(tasks)
    while late:
        _, late = await asyncio.wait(late, timeout=wait.total_seconds())
        for task in late:
            task.cancel()
        wait = CANCELLED_AGAIN
    await asyncio.gather(*tasks, return_exceptions=True)


def _count(draft: Draft) -> None:
    turn = draft.turn
    TURNS.labels(turn.intent, turn.reader or "none", turn.handoff.reason if turn.handoff else "none").inc()
    TURN_SECONDS.labels("yes" if turn.readings else "no").observe(turn.ms / 1000)
