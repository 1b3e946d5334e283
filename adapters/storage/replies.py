"""Transactions on what is to be sent: one line at a time a session, in order."""

from datetime import timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from adapters.storage.columns import LONG_AGO, from_now, seconds
from adapters.storage.rows import (
    FAILED,
    QUEUED,
    SENT,
    VOID,
    SessionRow,
    address_of,
    change,
    entry_of,
    locked,
)
from adapters.storage.tables import messages, sessions
from bot.domain.message import Sender
from bot.domain.ports import Fenced, Outgoing
from bot.domain.session import Owner
from bot.domain.vocabulary import SessionId

_FIRST_QUEUED = (
    select(messages, (messages.c.next_at <= from_now()).label("due"))
    .where(messages.c.session == bindparam("of_session"), messages.c.delivery == QUEUED)
    .order_by(messages.c.seq)
    .limit(1)
)
_LEND = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"))
    .values(send_lease_until=from_now(seconds("lease")))
)
_LINE = update(messages).where(
    messages.c.session == bindparam("of_session"), messages.c.seq == bindparam("of_seq")
)
_STILL_QUEUED = _LINE.where(messages.c.delivery == QUEUED)
_AGAIN = _STILL_QUEUED.values(next_at=from_now(seconds("again")))
_VOID = (
    update(messages)
    .where(
        messages.c.session == bindparam("of_session"),
        messages.c.delivery == QUEUED,
        messages.c.sender == Sender.BOT,
    )
    .values(delivery=VOID)
)


def claim_reply(tx: Connection, session: SessionId, lease: timedelta) -> Outgoing | None:
    row = locked(tx, session)
    if row.sending:
        return None
    if row.owner == Owner.HUMAN:
        void_bot_lines(tx, session)
    return next_line(tx, row, lease)


def next_line(tx: Connection, row: SessionRow, lease: timedelta) -> Outgoing | None:
    """The first queued line of a locked session that nobody is sending, if it is due."""
    line = tx.execute(_FIRST_QUEUED, {"of_session": row.id}).one_or_none()
    if line is None or not line.due:
        return None
    epoch = row.send_epoch + 1
    tx.execute(_LEND, {"session": row.id, "send_epoch": epoch, "lease": lease.total_seconds()})
    tx.execute(_LINE, {"of_session": row.id, "of_seq": line.seq, "tries": line.tries + 1})
    return Outgoing(
        entry=entry_of(line),
        address=address_of(row),
        epoch=epoch,
        key=f"{row.id}.{line.seq}",
        tries=line.tries,
    )


def settle_reply(tx: Connection, outgoing: Outgoing, again_in: timedelta | None, give_up: bool) -> None:
    """A line that a person's coming made void meanwhile stays void, unless it did get out."""
    session, seq = outgoing.entry.session, outgoing.entry.seq
    row = locked(tx, session)
    if row.send_epoch != outgoing.epoch:
        raise Fenced
    change(tx, session, send_lease_until=LONG_AGO)
    line = {"of_session": session, "of_seq": seq}
    if again_in is not None:
        tx.execute(_AGAIN, line | {"again": again_in.total_seconds()})
    elif give_up:
        tx.execute(_STILL_QUEUED, line | {"delivery": FAILED})
    else:
        tx.execute(_LINE, line | {"delivery": SENT})


def void_bot_lines(tx: Connection, session: SessionId) -> None:
    tx.execute(_VOID, {"of_session": session})


def undelivered(tx: Connection, limit: int) -> list[SessionId]:
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
    return [SessionId(session) for session in tx.execute(due).scalars()]
