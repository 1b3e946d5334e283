"""Transactions that only look."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storage.columns import from_now
from adapters.storage.rows import VOID, entry_of
from adapters.storage.tables import messages, sessions, turns
from bot.domain.message import Entry
from bot.domain.session import Exchange, Turn
from bot.domain.vocabulary import CustomerId, SessionId


async def unanswered(tx: AsyncConnection, limit: int) -> list[SessionId]:
    """Those whose claim ended longest ago come first: one that always fails cannot starve the others."""
    waiting = (
        select(sessions.c.id)
        .where(sessions.c.asked_seq > sessions.c.done_seq, sessions.c.lease_until <= from_now())
        .order_by(sessions.c.lease_until)
        .limit(limit)
    )
    return [SessionId(id) for id in (await tx.execute(waiting)).scalars()]


async def log(tx: AsyncConnection, session: SessionId, after: int, limit: int) -> list[Entry]:
    lines = (
        select(messages)
        .where(messages.c.session == session, messages.c.seq > after)
        .where(or_(messages.c.delivery.is_(None), messages.c.delivery != VOID))
        .order_by(messages.c.seq)
        .limit(limit)
    )
    return [entry_of(line) for line in await tx.execute(lines)]


async def exchanges(tx: AsyncConnection, session: SessionId, since: datetime, limit: int) -> list[Exchange]:
    latest = (
        select(turns.c.exchange)
        .where(turns.c.session == session, turns.c.at >= since)
        .order_by(turns.c.turn.desc())
        .limit(limit)
    )
    return list((await tx.execute(latest)).scalars())[::-1]


async def customer_of(tx: AsyncConnection, session: SessionId) -> tuple[bool, CustomerId | None]:
    row = (await tx.execute(select(sessions.c.customer).where(sessions.c.id == session))).one_or_none()
    return row is not None, row.customer if row else None


async def last_seq(tx: AsyncConnection, session: SessionId) -> int:
    return await tx.scalar(select(sessions.c.last_seq).where(sessions.c.id == session)) or 0


async def turn_of(tx: AsyncConnection, session: SessionId, seq: int) -> Turn | None:
    answered = (messages.c.session == session, messages.c.seq == seq)
    answering = (turns.c.session == messages.c.session) & (turns.c.turn == messages.c.turn)
    found: Turn | None = await tx.scalar(select(turns.c.body).join(messages, answering).where(*answered))
    return found


async def ping(tx: AsyncConnection) -> None:
    await tx.scalar(select(func.count()).select_from(sessions.select().limit(1).subquery()))
