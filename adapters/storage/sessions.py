"""Transactions on a session: opening, messages that come in, claims, and who answers."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storage.columns import LONG_AGO, from_now
from adapters.storage.replies import void_bot_lines
from adapters.storage.rows import (
    SessionRow,
    address_of,
    append,
    change,
    entry_of,
    insert_once,
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


async def open_session(
    tx: AsyncConnection,
    address: Address,
    customer: CustomerId | None,
    named: SessionId | None,
    new: SessionId,
    at: datetime,
) -> SessionId:
    there = await _find(tx, address, named)
    if there is None:
        await _create(tx, named or new, address, customer, at)
        there = await _find(tx, address, named)
    if there is None:
        raise NotFound("There is no session of that name.")
    if customer is not None and there.customer is None:
        await tx.execute(change(there.id, customer=customer))
    elif customer is not None and there.customer != customer:
        raise SessionOfAnotherCustomer
    return SessionId(there.id)


async def _find(tx: AsyncConnection, address: Address, named: SessionId | None) -> SessionRow | None:
    here = (
        sessions.c.channel == address.channel,
        sessions.c.account == address.account,
        sessions.c.user_id == address.user,
    )
    if named is not None:
        row = (
            await tx.execute(select(sessions).where(sessions.c.id == named).with_for_update())
        ).one_or_none()
        if row is not None:
            if address_of(row) != address:
                raise NotFound("There is no session of that name.")
            return row
    return (await tx.execute(select(sessions).where(*here).with_for_update())).one_or_none()


async def _create(
    tx: AsyncConnection, id: SessionId, address: Address, customer: CustomerId | None, at: datetime
) -> None:
    await insert_once(
        tx,
        sessions,
        None,
        id=id,
        channel=address.channel,
        account=address.account,
        user_id=address.user,
        customer=customer,
        owner=Owner.BOT,
        lease_until=LONG_AGO,
        send_lease_until=LONG_AGO,
        created_at=at,
        active_at=at,
    )


async def accept(tx: AsyncConnection, session: SessionId, message: Message) -> Accepted:
    row = await locked(tx, session)
    said, key, at = Reply(text=message.text), message.key, message.at
    seq = await append(tx, row, Sender.CUSTOMER, said, at, key=key, attachments=message.attachments)
    if seq is None:
        seq = await line_of(tx, session, Sender.CUSTOMER, key)
        return Accepted(session=session, seq=seq, customer=row.customer, duplicate=True)
    await tx.execute(change(session, last_seq=seq, asked_seq=seq, active_at=at))
    return Accepted(session=session, seq=seq, customer=row.customer)


async def say(
    tx: AsyncConnection, session: SessionId, agent: str, said: Reply, key: str, at: datetime
) -> int:
    row = await locked(tx, session)
    if row.owner != Owner.HUMAN:
        raise BadRequest("Take the conversation over before you answer.")
    seq = await append(tx, row, Sender.AGENT, said, at, key=key)
    if seq is None:
        return await line_of(tx, session, Sender.AGENT, key)
    await tx.execute(change(session, last_seq=seq, active_at=at))
    await tx.execute(note(session, at, agent, "said", seq=seq))
    return seq


async def claim(tx: AsyncConnection, session: SessionId, holder: str, lease: timedelta) -> Claimed | None:
    """``holder`` is new with each call: a claim whose answer got lost is recognised by it."""
    row = await locked(tx, session)
    if row.held and row.holder == holder:
        return await _claimed(tx, row, row.epoch, Owner(row.owner))
    if row.held or row.asked_seq == row.done_seq:
        return None
    owner = Owner.BOT if row.owner == Owner.CLOSED else Owner(row.owner)
    mine = {"epoch": row.epoch + 1, "holder": holder, "lease_until": from_now(lease)}
    await tx.execute(change(session, owner=owner, **mine))
    return await _claimed(tx, row, row.epoch + 1, owner)


async def reclaim(tx: AsyncConnection, ticket: Ticket, lease: timedelta) -> Claimed | None:
    row = await locked(tx, ticket.session)
    if row.epoch != ticket.epoch:
        return None
    await tx.execute(change(ticket.session, lease_until=from_now(lease)))
    return await _claimed(tx, row, row.epoch, Owner(row.owner))


async def _claimed(tx: AsyncConnection, row: SessionRow, epoch: int, owner: Owner) -> Claimed:
    unanswered = (
        messages.c.session == row.id,
        messages.c.sender == Sender.CUSTOMER,
        messages.c.seq > row.done_seq,
        messages.c.seq <= row.asked_seq,
    )
    lines = await tx.execute(select(messages).where(*unanswered).order_by(messages.c.seq))
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


async def renew(tx: AsyncConnection, ticket: Ticket, lease: timedelta) -> bool:
    mine = change(ticket.session, lease_until=from_now(lease)).where(sessions.c.epoch == ticket.epoch)
    return (await tx.execute(mine)).rowcount == 1


async def release(tx: AsyncConnection, ticket: Ticket) -> None:
    """The epoch goes on, so that a late ``renew`` of the same ticket takes nothing back."""
    mine = change(ticket.session, lease_until=LONG_AGO, epoch=ticket.epoch + 1)
    await tx.execute(mine.where(sessions.c.epoch == ticket.epoch))


async def take_over(tx: AsyncConnection, session: SessionId, agent: str, at: datetime) -> None:
    row = await locked(tx, session)
    if row.owner == Owner.HUMAN and row.agent == agent:
        return
    await _change_owner(tx, row, Owner.HUMAN, agent, at, handoff=row.handoff, agent=agent)
    await void_bot_lines(tx, session)


async def hand_back(tx: AsyncConnection, session: SessionId, agent: str, at: datetime) -> None:
    row = await locked(tx, session)
    if row.owner != Owner.BOT:
        await _change_owner(tx, row, Owner.BOT, agent, at, handoff=None, agent=None)


async def close(tx: AsyncConnection, session: SessionId, agent: str, at: datetime) -> None:
    row = await locked(tx, session)
    if row.owner != Owner.CLOSED:
        await _change_owner(tx, row, Owner.CLOSED, agent, at, handoff=None, agent=None)


async def _change_owner(
    tx: AsyncConnection, row: SessionRow, owner: Owner, actor: str, at: datetime, **values: object
) -> None:
    """The turn under way is fenced: it was worked out for another owner."""
    fenced = {"epoch": row.epoch + 1, "lease_until": LONG_AGO, "version": row.version + 1}
    await tx.execute(change(row.id, owner=owner, **fenced, **values))
    await tx.execute(note(row.id, at, actor, "owner", before=row.owner, after=owner))
