"""Accept once, durably, then acknowledge; claim a session with what is unanswered in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from bot.domain.errors import BadText, TextTooLong, Unavailable
from bot.domain.message import MAX_TEXT, Accepted, Entry, Message
from bot.domain.pace import Pace
from bot.domain.ports import Claimed, Clock, Committed, Live, SessionCache, Store, Ticket, Undecided
from bot.domain.session import MEMORY, WINDOW, Dialogue, Draft, Owner, Session
from bot.domain.vocabulary import CustomerId, SessionId

log = structlog.get_logger()

COMMITS_AGAIN: Any = {
    "retry": retry_if_exception_type(Unavailable),
    "stop": stop_after_attempt(3),
    "wait": wait_random(0.1, 0.5),
    "reraise": True,
}
"""A turn is not thought out again because of a moment without the database."""


class Inbox:
    """The way in. A message that was accepted is in SQL; everything after that can be done again."""

    def __init__(
        self, store: Store, cache: SessionCache, clock: Clock, holder: str, pace: Pace = Pace()
    ) -> None:
        self._store, self._cache, self._clock, self._holder = store, cache, clock, holder
        self._lease, self._sending = pace.turn_lease, pace.reply_lease

    async def receive(
        self,
        message: Message,
        customer: CustomerId | None,
        session: SessionId | None = None,
        *,
        visitor: bool = False,
    ) -> Accepted:
        """Keeps a message in its session, then wakes a worker. ``customer`` is taken as verified.

        Raises TextTooLong, BadText, SessionOfAnotherCustomer, Unavailable: then nothing is kept.
        """
        check_text(message.text)
        accepted = await self._store.accept(session, message, customer, visitor=visitor)
        for picture in message.attachments:  # it is here: nobody waits for it any longer
            await self._cache.expect_picture(accepted.session, picture.id, None)
        if not accepted.duplicate:
            await self._cache.wake(accepted.session)
            await self._cache.announce(accepted.session, Live("entry", accepted.seq))
        return accepted

    async def claim(self, session: SessionId) -> "Claim | None":
        """The session with its unanswered messages, if there are any and nobody else has it."""
        claimed = await self._store.claim(session, self._holder, self._lease)
        if claimed is None:
            return None
        async with self._let_go_when_stopped(claimed.ticket):
            return await self._claim(claimed)

    async def has_more(self, claim: "Claim") -> bool:
        """Whether it may be worth to claim again: looking costs less than writing, and many may be waiting."""
        return await self._store.last_seq(claim.session.id) > claim.claimed.ticket.upto

    async def again(self, claim: "Claim") -> "Claim | None":
        """The same claim with what has come since; None if somebody else has it now."""
        claimed = await self._store.reclaim(claim.claimed.ticket, self._lease)
        return await self._claim(claimed) if claimed else None

    async def commit(self, claim: "Claim", draft: Draft, *, final: bool = False) -> Committed:
        """The turn, in one transaction, which is known again when it is tried again.

        Raises Superseded or Fenced: then nothing is changed. Raises Undecided.
        """
        try:
            async for attempt in AsyncRetrying(**COMMITS_AGAIN):
                with attempt:
                    kept = await self._store.commit(
                        claim.claimed.ticket, draft, final=final, sending=self._sending
                    )
        except Unavailable as error:
            raise Undecided from error
        try:
            await self._tell(claim, draft, kept.version)
        except Exception as error:  # whatever it is: the turn is kept, and must not be taken for a failed one
            log.exception("turn.not_told", session=claim.session.id, error=type(error).__name__)
        return kept

    async def _tell(self, claim: "Claim", draft: Draft, version: int) -> None:
        """What a kept turn leaves in the living dialogue, and to whoever watches."""
        exchanges = (*claim.session.dialogue.exchanges, draft.exchange)
        await self._cache.remember(claim.session.id, version, Dialogue.of(exchanges, self._clock()))
        if draft.owner is Owner.WAITING:
            await self._cache.announce(claim.session.id, Live("waiting"))

    def news(self, session: SessionId) -> AsyncIterator[Live]:
        """What happens in a session from now on."""
        return self._cache.watch(session)

    async def uploading(self, session: SessionId) -> bool:
        """Whether a picture for this session is on its way."""
        return await self._cache.expects_picture(session)

    async def show_status(self, session: Session, status: Literal["reading", "thinking"], seq: int) -> None:
        """What the bot does about the line ``seq``, for a customer whom it answers."""
        if session.owner is Owner.BOT:
            await self._cache.announce(session.id, Live(status, seq))

    @asynccontextmanager
    async def held(self, claim: "Claim") -> AsyncIterator[None]:
        """Keeps the lease alive for as long as the turn takes."""
        renewing = asyncio.create_task(self._renew(claim))
        try:
            async with self._let_go_when_stopped(claim.claimed.ticket):
                yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing

    @asynccontextmanager
    async def _let_go_when_stopped(self, ticket: Ticket) -> AsyncIterator[None]:
        """Somebody else goes on at once, not after the lease; so too where a commit is undecided."""
        try:
            yield
        except (asyncio.CancelledError, Undecided):
            with suppress(Unavailable):
                await self._store.release(ticket)
            raise

    async def _renew(self, claim: "Claim") -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            with suppress(Unavailable):  # there is time for another try
                if not await self._store.renew(claim.claimed.ticket, self._lease):
                    return

    async def _claim(self, claimed: Claimed) -> "Claim":
        id = claimed.ticket.session
        dialogue = await self._cache.recall(id, claimed.version)
        now = self._clock()
        if dialogue is None:
            exchanges = await self._store.exchanges(id, now - MEMORY, WINDOW)
            dialogue = Dialogue.of(exchanges, now)
            await self._cache.remember(id, claimed.version, dialogue)
        session = Session(
            id=id,
            address=claimed.address,
            customer=claimed.customer,
            owner=claimed.owner,
            turns=claimed.turns,
            dialogue=Dialogue.of(dialogue.exchanges, now),
            handoff=claimed.handoff,
        )
        return Claim(claimed, session)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a session, and what there is to answer."""

    claimed: Claimed
    session: Session

    @property
    def messages(self) -> tuple[Entry, ...]:
        return self.claimed.messages

    @property
    def has_pictures(self) -> bool:
        return any(message.attachments for message in self.messages)

    @property
    def is_told(self) -> bool:
        """Whether the customer has heard, after the last message, that the order system is down."""
        return self.claimed.held_seq >= self.claimed.ticket.upto


def check_text(text: str) -> None:
    """Raises TextTooLong or BadText (lone surrogates, NUL) for what cannot be kept as it is."""
    if len(text) > MAX_TEXT:
        raise TextTooLong
    if "\x00" in text or not _encodes(text):
        raise BadText


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
