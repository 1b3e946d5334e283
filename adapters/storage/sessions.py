"""Transactions on a session: opening, messages that come in, claims, and who answers."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.storage.columns import LONG_AGO, from_now, seconds
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
)
from adapters.storage.tables import messages, sessions
from bot.domain.errors import BadRequest, NotFound, SessionOfAnotherCustomer
from bot.domain.message import Accepted, Address, Message, Reply, Sender
from bot.domain.ports import Claimed, Ticket
from bot.domain.session import Owner
from bot.domain.vocabulary import CustomerId, SessionId

_CREATE = {
    dialect.dialect.name: dialect.insert(sessions).on_conflict_do_nothing()
    for dialect in (postgresql, sqlite)
}
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
    row = _opened(tx, message.address, customer, named, new, now)
    if visitor and row.customer is not None:
        raise SessionOfAnotherCustomer
    session, whose = SessionId(row.id), row.customer or customer
    said, key = Reply(text=message.text), message.key
    seq = append(tx, row, Sender.CUSTOMER, said, message.at, key=key, attachments=message.attachments)
    if seq is None:
        seq = line_of(tx, session, Sender.CUSTOMER, key)
        return Accepted(session=session, seq=seq, customer=whose, duplicate=True)
    change(tx, session, last_seq=seq, asked_seq=seq, active_at=message.at)
    return Accepted(session=session, seq=seq, customer=whose)


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
    if customer is not None and row.customer is None:
        change(tx, SessionId(row.id), customer=customer)
    elif customer is not None and row.customer != customer:
        raise SessionOfAnotherCustomer
    return row


def _find(tx: Connection, address: Address, named: SessionId | None) -> SessionRow | None:
    if named is not None and (row := found(tx, named)) is not None:
        if address_of(row) != address:
            raise NotFound("There is no session of that name.")
        return row
    return at(tx, address)


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
        return line_of(tx, session, Sender.AGENT, key)
    change(tx, session, last_seq=seq, active_at=now)
    note(tx, session, now, agent, "said", seq=seq)
    return seq


def claim(tx: Connection, session: SessionId, holder: str, lease: timedelta) -> Claimed | None:
    """``holder`` is new with each call: a claim whose answer got lost is recognised by it."""
    row = locked(tx, session)
    if row.held and row.holder == holder:
        return _claimed(tx, row, row.epoch, Owner(row.owner))
    if row.held or row.asked_seq == row.done_seq:
        return None
    owner = Owner.BOT if row.owner == Owner.CLOSED else Owner(row.owner)
    lend(tx, session, lease, owner=owner, epoch=row.epoch + 1, holder=holder)
    return _claimed(tx, row, row.epoch + 1, owner)


def reclaim(tx: Connection, ticket: Ticket, lease: timedelta) -> Claimed | None:
    row = locked(tx, ticket.session)
    if row.epoch != ticket.epoch:
        return None
    lend(tx, ticket.session, lease)
    return _claimed(tx, row, row.epoch, Owner(row.owner))


def _claimed(tx: Connection, row: SessionRow, epoch: int, owner: Owner) -> Claimed:
    lines = tx.execute(_UNANSWERED, {"of_session": row.id, "done": row.done_seq, "asked": row.asked_seq})
    return Claimed(
        ticket=Ticket(SessionId(row.id), epoch, row.asked_seq),
        address=address_of(row),
        customer=row.customer,
        owner=owner,
        handoff=row.handoff,
        turns=row.turns,
        version=row.version,
        messages=tuple(map(entry_of, lines)),
    )


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
