"""Transactions on what is to be sent: one line at a time a session, in order."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal, or_, select, update

from adapters.storage.columns import LONG_AGO, from_now, over, seconds
from adapters.storage.rows import (
    FAILED,
    QUEUED,
    SENT,
    VOID,
    SessionRow,
    address_of,
    entry_of,
    locked,
)
from adapters.storage.tables import messages, sessions
from bot.domain.message import Entry, Sender
from bot.domain.ports import Fenced, Outgoing
from bot.domain.session import Owner
from bot.domain.vocabulary import SessionId

TRIES_AGAIN_AT_MOST = timedelta(hours=2)
"""Longer than any reply is put off at once."""

_DUE = or_(messages.c.tries == 0, over(messages.c.next_at, TRIES_AGAIN_AT_MOST))
"""A line that nobody has tried to send is due whatever the clock says."""

queued = select(literal(1)).where(messages.c.delivery == QUEUED)
"""Whether anything is; of which session, says a condition."""

_MORE = queued.where(messages.c.session == bindparam("of_session")).limit(1)
_FIRST_QUEUED = (
    select(messages, _DUE.label("due"))
    .where(messages.c.session == bindparam("of_session"), messages.c.delivery == QUEUED)
    .order_by(messages.c.seq)
    .limit(1)
)
_LEND = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"))
    .values(send_lease_until=from_now(seconds("lease")))
)
_END = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"), sessions.c.send_epoch == bindparam("mine"))
    .values(send_lease_until=LONG_AGO)
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
    line = first_queued(tx, session)
    return take_line(tx, row, line, lease) if line and line.due else None


def first_queued(tx: Connection, session: SessionId) -> Row[Any] | None:
    return tx.execute(_FIRST_QUEUED, {"of_session": session}).one_or_none()


def take_line(tx: Connection, row: SessionRow, line: Row[Any], lease: timedelta) -> Outgoing:
    """Claims a line of a locked session for sending."""
    epoch, entry = row.send_epoch + 1, entry_of(line)
    lend_sending(tx, row.id, lease, send_epoch=epoch)
    tx.execute(_LINE, {"of_session": row.id, "of_seq": line.seq, "tries": line.tries + 1})
    return Outgoing(entry, address_of(row), epoch=epoch, key=key_of(entry), tries=line.tries)


def lend_sending(tx: Connection, session: SessionId, lease: timedelta, **values: Any) -> None:
    tx.execute(_LEND, {"session": session, "lease": lease.total_seconds(), **values})


def key_of(entry: Entry) -> str:
    return f"{entry.session}.{entry.seq}"


def settle_reply(tx: Connection, outgoing: Outgoing, again_in: timedelta | None, give_up: bool) -> bool:
    """A line that a person's coming made void meanwhile stays void, unless it did get out."""
    session, seq = outgoing.entry.session, outgoing.entry.seq
    if not tx.execute(_END, {"session": session, "mine": outgoing.epoch}).rowcount:
        raise Fenced
    line = {"of_session": session, "of_seq": seq}
    if again_in is not None:
        tx.execute(_AGAIN, line | {"again": again_in.total_seconds()})
    elif give_up:
        tx.execute(_STILL_QUEUED, line | {"delivery": FAILED})
    else:
        tx.execute(_LINE, line | {"delivery": SENT})
    return tx.execute(_MORE, {"of_session": session}).first() is not None


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
        .where(_DUE, over(sessions.c.send_lease_until))
        .order_by(messages.c.next_at)
        .limit(limit)
    )
    return [SessionId(session) for session in tx.execute(due).scalars()]
