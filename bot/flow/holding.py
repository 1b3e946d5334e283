"""The holding answer: what a customer hears within seconds while the real answer takes longer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from bot.domain.errors import Unavailable
from bot.domain.pace import Pace
from bot.domain.ports import Claimed, Fenced, Store
from bot.domain.session import Holding
from bot.domain.vocabulary import Language, SessionId
from bot.flow.wording import SHARED, Wording

log = structlog.get_logger()

SAID_AGAIN = timedelta(seconds=20)
"""Who writes on while the order system is down is told once more, but not at every line."""


class HoldingAnswers:
    """Says them, and puts turns off. ``deliver`` sends what a session has to say."""

    def __init__(
        self, store: Store, deliver: Callable[[SessionId], Awaitable[None]], wording: Wording, pace: Pace
    ) -> None:
        self._store, self._deliver, self._wording, self._pace = store, deliver, wording, pace

    async def say_slow(self, claimed: Claimed, language: Language) -> None:
        """That it takes a moment. Raises nothing that would matter to the turn beside which it is said."""
        pictures = any(message.attachments for message in claimed.messages)
        reply = self._wording.say(SHARED, "holding.picture" if pictures else "holding.slow", {}, language)
        try:
            if await self._store.hold(claimed.ticket, Holding("slow", reply)):
                log.info("turn.held", session=claimed.ticket.session, why="slow")
                await self._deliver(claimed.ticket.session)
        except (Fenced, Unavailable) as error:
            log.info("turn.not_held", session=claimed.ticket.session, error=type(error).__name__)

    async def put_off(self, claimed: Claimed, language: Language, now: datetime) -> None:
        """That the order system is down; the turn is tried again later. Raises Fenced, Unavailable."""
        held_for = claimed.held_for or timedelta(0)
        at_least, at_most = self._pace.look_up_again
        holding = self._down(claimed, language) if _is_to_be_told(claimed, now) else None
        again_in = min(max(held_for, at_least), at_most)
        await self._store.hold(claimed.ticket, holding, again_in=again_in)
        log.info("turn.held", session=claimed.ticket.session, why="down", seconds=again_in.total_seconds())

    def is_patient(self, claimed: Claimed) -> bool:
        """Whether a turn may still be put off, rather than given up."""
        return claimed.held_for is None or claimed.held_for < self._pace.look_up_for

    def _down(self, claimed: Claimed, language: Language) -> Holding:
        again = claimed.messages[0].seq <= claimed.held_seq
        key = "holding.still_down" if again else "holding.down"
        return Holding("down", self._wording.say(SHARED, key, {}, language))


def _is_to_be_told(claimed: Claimed, now: datetime) -> bool:
    told = [message for message in claimed.messages if message.seq <= claimed.held_seq]
    return not told or (len(told) < len(claimed.messages) and told[-1].at + SAID_AGAIN <= now)


@asynccontextmanager
async def if_it_takes(longer_than: timedelta, late: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Does something beside the block, once, if that takes longer; what was begun ends before the block does."""
    begun: list[asyncio.Task[None]] = []
    timer = asyncio.get_running_loop().call_later(
        longer_than.total_seconds(), lambda: begun.append(asyncio.create_task(_beside(late)))
    )
    try:
        yield
    except asyncio.CancelledError:
        for task in begun:
            task.cancel()
        raise
    finally:
        timer.cancel()
        if begun:
            await asyncio.wait(begun)


async def _beside(late: Callable[[], Awaitable[None]]) -> None:
    try:
        await late()
    except Exception as error:  # whatever it is: a word beside the turn must not cost the turn
        log.exception("beside.failed", error=type(error).__name__)
