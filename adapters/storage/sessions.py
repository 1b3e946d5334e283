"""Transactions on a session: opening, messages that come in, claims, and who answers."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, case, literal, not_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.storage.columns import LONG_AGO, UtcTime, from_now, over, seconds
from adapters.storage.replies import void_bot_lines
from adapters.storage.rows import (
    SessionRow,
    address_of,
    append,
    at,
    change,
    entry_of,
    found,
    lend,
    line_of,
    locked,
    note,
    write_line,
)
from adapters.storage.tables import messages, sessions
from bot.domain.errors import BadRequest, NotFound, SessionOfAnotherCustomer
from bot.domain.message import Accepted, Address, Message, Reply, Sender
from bot.domain.ports import Claimed, Fenced, Ticket
from bot.domain.session import Holding, Owner
from bot.domain.vocabulary import CustomerId, SessionId

_CREATE = {
    dialect.dialect.name: dialect.insert(sessions).on_conflict_do_nothing()
    for dialect in (postgresql, sqlite)
}
_LONG_AGO = literal(LONG_AGO, UtcTime)
_NEXT = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"))
    .values(
        last_seq=sessions.c.last_seq + 1,
        asked_seq=sessions.c.last_seq + 1,
        # a session that was put off is heard at once
        lease_until=case((sessions.c.holder.is_(None), _LONG_AGO), else_=sessions.c.lease_until),
    )
    .returning(sessions)
)
_CLAIM = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("session"),
        sessions.c.asked_seq > sessions.c.done_seq,
        over(sessions.c.lease_until),
    )
    .values(
        owner=case((sessions.c.owner == Owner.CLOSED, Owner.BOT), else_=sessions.c.owner),
        epoch=sessions.c.epoch + 1,
        lease_until=from_now(seconds("lease")),
    )
    .returning(sessions, from_now().label("now"))
)
_HELD = select(sessions, from_now().label("now")).where(
    sessions.c.id == bindparam("session"),
    sessions.c.holder == bindparam("holder"),
    not_(over(sessions.c.lease_until)),
)
_UNANSWERED = (
    select(messages)
    .where(
        messages.c.session == bindparam("of_session"),
        messages.c.sender == Sender.CUSTOMER,
        messages.c.seq > bindparam("done"),
        messages.c.seq <= bindparam("asked"),
    )
    .order_by(messages.c.seq)
)
_MINE = update(sessions).where(sessions.c.id == bindparam("session"), sessions.c.epoch == bindparam("ticket"))
_RENEW = _MINE.values(lease_until=from_now(seconds("lease")))
_PUT_OFF = (
    sessions.c.asked_seq > sessions.c.done_seq,
    sessions.c.holder.is_(None),
    not_(over(sessions.c.lease_until)),
)
_RESUME = update(sessions).where(*_PUT_OFF).values(lease_until=sessions.c.held_at)
_RELEASE = _MINE.values(lease_until=LONG_AGO, epoch=sessions.c.epoch + 1)


def open_session(
    tx: Connection,
    address: Address,
    customer: CustomerId | None,
    named: SessionId | None,
    new: SessionId,
    now: datetime,
) -> SessionId:
    return SessionId(_opened(tx, address, customer, named, new, now).id)


def accept(
    tx: Connection,
    named: SessionId | None,
    message: Message,
    customer: CustomerId | None,
    visitor: bool,
    new: SessionId,
    now: datetime,
) -> Accepted:
    """Raises Known, and keeps nothing, where the message was kept before."""
    row = _next(tx, named, message.at) if named else None
    if row is None:
        opened = _opened(tx, message.address, customer, named, new, now)
        row = _next(tx, SessionId(opened.id), message.at)
    assert row is not None  # it is locked since it was opened
    _check(row, message.address, customer, visitor)
    session, seq = SessionId(row.id), int(row.last_seq)
    said = Reply(text=message.text)
    if not write_line(
        tx, session, seq, Sender.CUSTOMER, said, message.at, message.key, attachments=message.attachments
    ):
        raise Known(session, row.customer or customer)
    if customer is not None and row.customer is None:
        change(tx, session, customer=customer)
    return Accepted(session=session, seq=seq, customer=row.customer or customer)


def accepted_before(tx: Connection, known: "Known", key: str) -> Accepted:
    seq = line_of(tx, known.session, Sender.CUSTOMER, key)
    assert seq is not None  # nobody takes a line out of the log
    return Accepted(session=known.session, seq=seq, customer=known.customer, duplicate=True)


class Known(Exception):
    """A message of this key was kept before: the transaction that would keep it again is undone."""

    def __init__(self, session: SessionId, customer: CustomerId | None) -> None:
        self.session, self.customer = session, customer


def _next(tx: Connection, session: SessionId, at: datetime) -> SessionRow | None:
    """The locked session, one line further."""
    return tx.execute(_NEXT, {"session": session, "active_at": at}).one_or_none()


def _check(row: SessionRow, address: Address, customer: CustomerId | None, visitor: bool = False) -> None:
    if address_of(row) != address:
        raise NotFound("There is no session of that name.")
    speaks_for_another = visitor if customer is None else row.customer != customer
    if row.customer is not None and speaks_for_another:
        raise SessionOfAnotherCustomer


def _opened(
    tx: Connection,
    address: Address,
    customer: CustomerId | None,
    named: SessionId | None,
    new: SessionId,
    now: datetime,
) -> SessionRow:
    """The locked session, made where there is none."""
    row = _find(tx, address, named)
    if row is None:
        _create(tx, named or new, address, customer, now)
        row = _find(tx, address, named)
    if row is None:
        raise NotFound("There is no session of that name.")
    _check(row, address, customer)
    if customer is not None and row.customer is None:
        change(tx, SessionId(row.id), customer=customer)
    return row


def _find(tx: Connection, address: Address, named: SessionId | None) -> SessionRow | None:
    row = found(tx, named) if named is not None else None
    return row or at(tx, address)


def _create(
    tx: Connection, id: SessionId, address: Address, customer: CustomerId | None, now: datetime
) -> None:
    values = {
        "id": id,
        "channel": address.channel,
        "account": address.account,
        "user_id": address.user,
        "customer": customer,
        "owner": Owner.BOT,
        "lease_until": LONG_AGO,
        "send_lease_until": LONG_AGO,
        "created_at": now,
        "active_at": now,
    }
    tx.execute(_CREATE[tx.dialect.name], values)


def say(tx: Connection, session: SessionId, agent: str, said: Reply, key: str, now: datetime) -> int:
    row = locked(tx, session)
    if row.owner != Owner.HUMAN:
        raise BadRequest("Take the conversation over before you answer.")
    seq = append(tx, row, Sender.AGENT, said, now, key=key)
    if seq is None:
        said_before = line_of(tx, session, Sender.AGENT, key)
        assert said_before is not None
        return said_before
    change(tx, session, last_seq=seq, active_at=now)
    note(tx, session, now, agent, "said", seq=seq)
    return seq


def claim(tx: Connection, session: SessionId, holder: str, lease: timedelta) -> Claimed | None:
    """``holder`` is new with each call: a claim whose answer got lost is recognised by it."""
    mine = {"session": session, "holder": holder, "lease": lease.total_seconds()}
    row = tx.execute(_CLAIM, mine).one_or_none() or tx.execute(_HELD, mine).one_or_none()
    return _claimed(tx, row) if row else None


def reclaim(tx: Connection, ticket: Ticket, lease: timedelta) -> Claimed | None:
    row = locked(tx, ticket.session)
    if row.epoch != ticket.epoch:
        return None
    lend(tx, ticket.session, lease)
    return _claimed(tx, row)


def _claimed(tx: Connection, row: SessionRow) -> Claimed:
    lines = tx.execute(_UNANSWERED, {"of_session": row.id, "done": row.done_seq, "asked": row.asked_seq})
    return Claimed(
        ticket=Ticket(SessionId(row.id), row.epoch, row.asked_seq),
        address=address_of(row),
        customer=row.customer,
        owner=Owner(row.owner),
        handoff=row.handoff,
        turns=row.turns,
        version=row.version,
        messages=tuple(map(entry_of, lines)),
        held_seq=row.held_seq,
        held_for=row.now - row.held_at if row.held_at else None,
    )


def hold(
    tx: Connection, ticket: Ticket, holding: Holding | None, again_in: timedelta | None, now: datetime
) -> bool:
    row = locked(tx, ticket.session)
    if row.epoch != ticket.epoch:
        raise Fenced
    said = None
    if holding and row.owner == Owner.BOT:
        once = f"{holding.why}.{ticket.upto}"
        said = append(tx, row, Sender.BOT, holding.reply, now, key=once)
    changed: dict[str, object] = {"last_seq": said} if said else {}
    if said and holding and holding.why == "down":
        changed["held_seq"] = ticket.upto
    if again_in is not None:
        later = again_in if row.asked_seq == ticket.upto else timedelta(0)  # others are heard at once
        ended = {"epoch": row.epoch + 1, "holder": None, "held_at": row.held_at or row.now}
        lend(tx, ticket.session, later, **ended, **changed)
    elif changed:
        change(tx, ticket.session, **changed)
    return said is not None


def resume(tx: Connection) -> None:
    """In the order in which they were put off first."""
    tx.execute(_RESUME)


def renew(tx: Connection, ticket: Ticket, lease: timedelta) -> bool:
    mine = {"session": ticket.session, "ticket": ticket.epoch, "lease": lease.total_seconds()}
    return tx.execute(_RENEW, mine).rowcount == 1


def release(tx: Connection, ticket: Ticket) -> None:
    """The epoch goes on, so that a late ``renew`` of the same ticket takes nothing back."""
    tx.execute(_RELEASE, {"session": ticket.session, "ticket": ticket.epoch})


def take_over(tx: Connection, session: SessionId, agent: str, now: datetime) -> None:
    row = locked(tx, session)
    if row.owner == Owner.HUMAN and row.agent == agent:
        return
    _change_owner(tx, row, Owner.HUMAN, agent, now, handoff=row.handoff, agent=agent)
    void_bot_lines(tx, session)


def hand_back(tx: Connection, session: SessionId, agent: str, now: datetime) -> None:
    row = locked(tx, session)
    if row.owner != Owner.BOT:
        _change_owner(tx, row, Owner.BOT, agent, now, handoff=None, agent=None)


def close(tx: Connection, session: SessionId, agent: str, now: datetime) -> None:
    row = locked(tx, session)
    if row.owner != Owner.CLOSED:
        _change_owner(tx, row, Owner.CLOSED, agent, now, handoff=None, agent=None)


def _change_owner(
    tx: Connection, row: SessionRow, owner: Owner, actor: str, now: datetime, **values: object
) -> None:
    """The turn under way is fenced: it was worked out for another owner."""
    fenced = {"epoch": row.epoch + 1, "lease_until": LONG_AGO, "version": row.version + 1}
    change(tx, SessionId(row.id), owner=owner, **fenced, **values)
    note(tx, SessionId(row.id), now, actor, "owner", before=row.owner, after=owner)
