"""Transactions that only look."""

from datetime import datetime

from sqlalchemy import Connection, Integer, bindparam, func, or_, select

from adapters.storage.columns import over
from adapters.storage.rows import VOID, entry_of, line_of
from adapters.storage.tables import messages, sessions, turns
from bot.domain.message import Entry, Sender
from bot.domain.ports import View
from bot.domain.session import Exchange, Turn
from bot.domain.vocabulary import CustomerId, SessionId

_LOG = (
    select(messages)
    .where(messages.c.session == bindparam("of_session"), messages.c.seq > bindparam("after"))
    .where(or_(messages.c.delivery.is_(None), messages.c.delivery != VOID))
    .order_by(messages.c.seq)
    .limit(bindparam("most", type_=Integer))
)
_WITH_LINES = select(sessions.c.customer, sessions.c.last_seq.label("last"), messages).where(
    sessions.c.id == bindparam("of_session")
)
_LINES = (messages.c.session == sessions.c.id) & (
    messages.c.delivery.is_(None) | (messages.c.delivery != VOID)
)
_AFTER = (
    _WITH_LINES.outerjoin_from(sessions, messages, _LINES & (messages.c.seq > bindparam("line")))
    .order_by(messages.c.seq)
    .limit(bindparam("most", type_=Integer))
)
_BEFORE = (
    _WITH_LINES.outerjoin_from(sessions, messages, _LINES & (messages.c.seq < bindparam("line")))
    .order_by(messages.c.seq.desc())
    .limit(bindparam("most", type_=Integer))
)
_CUSTOMER = select(sessions.c.customer).where(sessions.c.id == bindparam("of_session"))
_LAST_SEQ = select(sessions.c.last_seq).where(sessions.c.id == bindparam("of_session"))


def seq_of(tx: Connection, session: SessionId, key: str) -> int | None:
    return line_of(tx, session, Sender.CUSTOMER, key)


def unanswered(tx: Connection, limit: int) -> list[SessionId]:
    """Those whose claim ended longest ago come first: one that always fails cannot starve the others."""
    waiting = (
        select(sessions.c.id)
        .where(sessions.c.asked_seq > sessions.c.done_seq, over(sessions.c.lease_until))
        .order_by(sessions.c.lease_until)
        .limit(limit)
    )
    return [SessionId(id) for id in tx.execute(waiting).scalars()]


def log(tx: Connection, session: SessionId, after: int, limit: int) -> list[Entry]:
    return [
        entry_of(line) for line in tx.execute(_LOG, {"of_session": session, "after": after, "most": limit})
    ]


def view(tx: Connection, session: SessionId, after: int, before: int | None, limit: int) -> View:
    """In one statement: a session without such lines comes as one row without a line."""
    statement, line = (_AFTER, after) if before is None else (_BEFORE, before)
    rows = tx.execute(statement, {"of_session": session, "line": line, "most": limit}).all()
    if not rows:
        return View(exists=False, customer=None, last_seq=0, lines=())
    lines = [entry_of(row) for row in rows if row.seq is not None]
    if before is not None:
        lines.reverse()
    return View(exists=True, customer=rows[0].customer, last_seq=rows[0].last, lines=tuple(lines))


def exchanges(tx: Connection, session: SessionId, since: datetime, limit: int) -> list[Exchange]:
    latest = (
        select(turns.c.exchange)
        .where(turns.c.session == session, turns.c.at >= since)
        .order_by(turns.c.turn.desc())
        .limit(limit)
    )
    return list(tx.execute(latest).scalars())[::-1]


def customer_of(tx: Connection, session: SessionId) -> tuple[bool, CustomerId | None]:
    row = tx.execute(_CUSTOMER, {"of_session": session}).one_or_none()
    return row is not None, row.customer if row else None


def last_seq(tx: Connection, session: SessionId) -> int:
    return tx.scalar(_LAST_SEQ, {"of_session": session}) or 0


def turn_of(tx: Connection, session: SessionId, seq: int) -> Turn | None:
    answered = (messages.c.session == session, messages.c.seq == seq)
    answering = (turns.c.session == messages.c.session) & (turns.c.turn == messages.c.turn)
    found: Turn | None = tx.scalar(select(turns.c.body).join(messages, answering).where(*answered))
    return found


def ping(tx: Connection) -> None:
    tx.scalar(select(func.count()).select_from(sessions.select().limit(1).subquery()))
