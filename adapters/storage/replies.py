"""Transactions on what is to be sent: one line at a time a session, in order."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storage.columns import LONG_AGO, from_now
from adapters.storage.rows import FAILED, QUEUED, SENT, VOID, address_of, change, entry_of, locked
from adapters.storage.tables import messages, sessions
from bot.domain.message import Sender
from bot.domain.ports import Fenced, Outgoing
from bot.domain.session import Owner
from bot.domain.vocabulary import SessionId


async def claim_reply(tx: AsyncConnection, session: SessionId, lease: timedelta) -> Outgoing | None:
    row = await locked(tx, session)
    if row.sending:
        return None
    if row.owner == Owner.HUMAN:
        await void_bot_lines(tx, session)
    due = (messages.c.next_at <= from_now()).label("due")
    queued = (messages.c.session == session, messages.c.delivery == QUEUED)
    line = (
        await tx.execute(select(messages, due).where(*queued).order_by(messages.c.seq).limit(1))
    ).one_or_none()
    if line is None or not line.due:
        return None
    epoch = row.send_epoch + 1
    await tx.execute(change(session, send_epoch=epoch, send_lease_until=from_now(lease)))
    this = (messages.c.session == session, messages.c.seq == line.seq)
    await tx.execute(update(messages).where(*this).values(tries=line.tries + 1))
    return Outgoing(
        entry=entry_of(line),
        address=address_of(row),
        epoch=epoch,
        key=f"{session}.{line.seq}",
        tries=line.tries,
    )


async def settle_reply(
    tx: AsyncConnection, outgoing: Outgoing, again_in: timedelta | None, give_up: bool
) -> None:
    """A line that a person's coming made void meanwhile stays void, unless it did get out."""
    session, seq = outgoing.entry.session, outgoing.entry.seq
    row = await locked(tx, session)
    if row.send_epoch != outgoing.epoch:
        raise Fenced
    await tx.execute(change(session, send_lease_until=LONG_AGO))
    line = update(messages).where(messages.c.session == session, messages.c.seq == seq)
    still_queued = line.where(messages.c.delivery == QUEUED)
    if again_in is not None:
        await tx.execute(still_queued.values(next_at=from_now(again_in)))
    elif give_up:
        await tx.execute(still_queued.values(delivery=FAILED))
    else:
        await tx.execute(line.values(delivery=SENT))


async def void_bot_lines(tx: AsyncConnection, session: SessionId) -> None:
    queued = (messages.c.session == session, messages.c.delivery == QUEUED)
    await tx.execute(update(messages).where(*queued, messages.c.sender == Sender.BOT).values(delivery=VOID))


async def undelivered(tx: AsyncConnection, limit: int) -> list[SessionId]:
    """Sessions whose first queued line is due and is not being sent, the longest due first."""
    first = (
        select(messages.c.session, func.min(messages.c.seq).label("seq"))
        .where(messages.c.delivery == QUEUED)
        .group_by(messages.c.session)
        .subquery()
    )
    due = (
        select(messages.c.session)
        .join(first, (messages.c.session == first.c.session) & (messages.c.seq == first.c.seq))
        .join(sessions, sessions.c.id == messages.c.session)
        .where(messages.c.next_at <= from_now(), sessions.c.send_lease_until <= from_now())
        .order_by(messages.c.next_at)
        .limit(limit)
    )
    return [SessionId(session) for session in (await tx.execute(due)).scalars()]
