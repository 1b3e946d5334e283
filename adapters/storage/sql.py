"""The Store port over SQL: each verb is one transaction, written down in the module of its noun."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from adapters.database import Database
from adapters.storage import durability, reads, replies, sessions, turns
from bot.domain.errors import NotFound
from bot.domain.message import Accepted, Address, Entry, Message, Reply
from bot.domain.ports import Claimed, ClaimedEffect, Clock, Committed, Ids, Outgoing, Ticket, View
from bot.domain.session import Action, Draft, Exchange, Handoff, Holding, Turn
from bot.domain.vocabulary import ActionId, CustomerId, SessionId


class SqlStore:
    """The truth, in SQLite or PostgreSQL. Every verb raises Unavailable where the database stays away."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._db = database
        self._clock = clock
        self._ids = ids

    # what comes in

    async def open(
        self, address: Address, customer: CustomerId | None, session: SessionId | None = None
    ) -> SessionId:
        new = SessionId(self._ids())
        return await self._db.write(sessions.open_session, address, customer, session, new, self._clock())

    async def accept(
        self,
        session: SessionId | None,
        message: Message,
        customer: CustomerId | None = None,
        *,
        visitor: bool = False,
    ) -> Accepted:
        new = SessionId(self._ids())
        try:
            return await self._db.write(
                sessions.accept, session, message, customer, visitor, new, self._clock()
            )
        except sessions.Known as known:
            return await self._db.read(sessions.accepted_before, known, message.key)

    async def seq_of(self, session: SessionId, key: str) -> int | None:
        return await self._db.read(reads.seq_of, session, key)

    # turns

    async def claim(self, session: SessionId, holder: str, lease: timedelta) -> Claimed | None:
        return await self._db.write(sessions.claim, session, f"{holder}.{self._ids()}", lease)

    async def reclaim(self, ticket: Ticket, lease: timedelta) -> Claimed | None:
        return await self._db.write(sessions.reclaim, ticket, lease)

    async def renew(self, ticket: Ticket, lease: timedelta) -> bool:
        return await self._db.write(sessions.renew, ticket, lease)

    async def commit(
        self, ticket: Ticket, draft: Draft, *, final: bool = False, sending: timedelta | None = None
    ) -> Committed:
        return await self._db.write(turns.commit, ticket, draft, final, sending, self._clock())

    async def release(self, ticket: Ticket) -> None:
        await self._db.write(sessions.release, ticket)

    async def hold(
        self, ticket: Ticket, holding: Holding | None, *, again_in: timedelta | None = None
    ) -> bool:
        return await self._db.write(sessions.hold, ticket, holding, again_in, self._clock())

    async def resume(self) -> None:
        await self._db.write(sessions.resume)
        await self._db.write(turns.resume)

    async def unanswered(self, limit: int) -> Sequence[SessionId]:
        return await self._db.read(reads.unanswered, limit)

    # effects

    async def claim_effect(self, id: ActionId, lease: timedelta) -> ClaimedEffect | None:
        return await self._db.write(turns.claim_effect, id, lease)

    async def settle_effect(
        self,
        claimed: ClaimedEffect,
        action: Action,
        reply: Reply | None,
        *,
        again_in: timedelta | None = None,
        accepted: bool = False,
        handoff: Handoff | None = None,
    ) -> None:
        await self._db.write(
            turns.settle_effect, claimed, action, reply, again_in, accepted, handoff, self._clock()
        )

    async def due_effects(self, limit: int) -> Sequence[ActionId]:
        return await self._db.read(turns.due_effects, limit)

    # what goes out

    async def claim_reply(self, session: SessionId, lease: timedelta) -> Outgoing | None:
        try:
            return await self._db.write(replies.claim_reply, session, lease)
        except NotFound:
            return None

    async def settle_reply(
        self, outgoing: Outgoing, *, again_in: timedelta | None = None, give_up: bool = False
    ) -> bool:
        return await self._db.write(replies.settle_reply, outgoing, again_in, give_up)

    async def undelivered(self, limit: int) -> Sequence[SessionId]:
        return await self._db.read(replies.undelivered, limit)

    # people

    async def take_over(self, session: SessionId, agent: str) -> None:
        await self._db.write(sessions.take_over, session, agent, self._clock())

    async def say(self, session: SessionId, agent: str, reply: Reply, key: str) -> int:
        return await self._db.write(sessions.say, session, agent, reply, key, self._clock())

    async def hand_back(self, session: SessionId, agent: str) -> None:
        await self._db.write(sessions.hand_back, session, agent, self._clock())

    async def close(self, session: SessionId, agent: str) -> None:
        await self._db.write(sessions.close, session, agent, self._clock())

    # what is known

    async def view(
        self, session: SessionId, *, after: int = 0, before: int | None = None, limit: int = 100
    ) -> View:
        return await self._db.read(reads.view, session, after, before, limit)

    async def log(self, session: SessionId, after: int, limit: int = 200) -> Sequence[Entry]:
        return await self._db.read(reads.log, session, after, limit)

    async def exchanges(self, session: SessionId, since: datetime, limit: int) -> Sequence[Exchange]:
        return await self._db.read(reads.exchanges, session, since, limit)

    async def customer_of(self, session: SessionId) -> tuple[bool, CustomerId | None]:
        return await self._db.read(reads.customer_of, session)

    async def last_seq(self, session: SessionId) -> int:
        return await self._db.read(reads.last_seq, session)

    async def turn_of(self, session: SessionId, seq: int) -> Turn | None:
        return await self._db.read(reads.turn_of, session, seq)

    async def ping(self) -> None:
        await self._db.read(reads.ping)

    async def complaints(self) -> Sequence[str]:
        return await self._db.read(durability.complaints, self._db.url.database or "")
