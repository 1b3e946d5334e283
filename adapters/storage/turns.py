"""Transactions on turns and effects: all of a turn or nothing, and each effect once."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storage.columns import LONG_AGO, from_now
from adapters.storage.rows import SessionRow, append, change, locked, note
from adapters.storage.tables import effects, messages, picture_keys, turns
from bot.domain.message import Reply, Sender
from bot.domain.ports import ClaimedEffect, Fenced, Superseded, Ticket
from bot.domain.session import Action, Draft, Effect, Handoff, Owner, Turn
from bot.domain.vocabulary import ActionId

PENDING = "pending"
SETTLED = "settled"


async def commit(tx: AsyncConnection, ticket: Ticket, draft: Draft, final: bool, at: datetime) -> int:
    row = await locked(tx, ticket.session)
    if row.epoch != ticket.epoch:
        return await _committed_before(tx, ticket)
    if row.asked_seq != ticket.upto and not final:
        raise Superseded
    version = int(row.version) + 1
    await _keep_turn(tx, row, ticket, draft, version, at)
    last = row.last_seq
    if draft.reply:
        last = await append(tx, row, Sender.BOT, draft.reply, at, turn=draft.turn.turn)
    if draft.effect:
        await _keep_effect(tx, draft.effect, at)
    if draft.seen:
        await tx.execute(delete(picture_keys).where(picture_keys.c.id.in_(draft.seen)))
    if draft.owner != row.owner:
        await tx.execute(note(row.id, at, "bot", "owner", before=row.owner, after=draft.owner))
    handoff = None if draft.owner is Owner.BOT else draft.turn.handoff or row.handoff
    await tx.execute(
        change(
            ticket.session,
            last_seq=last,
            done_seq=ticket.upto,
            turns=draft.turn.turn,
            version=version,
            owner=draft.owner,
            handoff=handoff,
            epoch=ticket.epoch + 1,  # the ticket is used up: a late ``renew`` of it takes nothing back
            lease_until=LONG_AGO,
        )
    )
    return version


async def _committed_before(tx: AsyncConnection, ticket: Ticket) -> int:
    """The version that this very ticket has made, if only the answer got lost. Raises Fenced."""
    mine = (turns.c.session == ticket.session, turns.c.epoch == ticket.epoch)
    version = (await tx.execute(select(turns.c.version).where(*mine))).scalar_one_or_none()
    if version is None:
        raise Fenced
    return int(version)


async def _keep_turn(
    tx: AsyncConnection, row: SessionRow, ticket: Ticket, draft: Draft, version: int, at: datetime
) -> None:
    turn = draft.turn
    await tx.execute(
        insert(turns).values(
            session=row.id,
            turn=turn.turn,
            epoch=ticket.epoch,
            version=version,
            body=turn,
            exchange=draft.exchange,
            at=at,
        )
    )
    answered = (
        messages.c.session == row.id,
        messages.c.sender == Sender.CUSTOMER,
        messages.c.seq > row.done_seq,
        messages.c.seq <= ticket.upto,
    )
    await tx.execute(update(messages).where(*answered).values(turn=turn.turn))


async def _keep_effect(tx: AsyncConnection, effect: Effect, at: datetime) -> None:
    action = effect.proposal.action
    await tx.execute(
        insert(effects).values(
            id=effect.proposal.id,
            session=effect.session,
            turn=effect.turn,
            body=effect,
            status=PENDING,
            lease_until=LONG_AGO,
            next_at=from_now(),
        )
    )
    detail = {"effect": effect.proposal.id, "action": action.name, "target": action.target}
    await tx.execute(note(effect.session, at, "bot", "confirmed", **detail))


async def claim_effect(tx: AsyncConnection, id: ActionId, lease: timedelta) -> ClaimedEffect | None:
    free = (
        effects.c.id == id,
        effects.c.status == PENDING,
        effects.c.next_at <= from_now(),
        effects.c.lease_until <= from_now(),
    )
    row = (
        await tx.execute(
            update(effects)
            .where(*free)
            .values(epoch=effects.c.epoch + 1, tries=effects.c.tries + 1, lease_until=from_now(lease))
            .returning(effects.c.body, effects.c.epoch, effects.c.tries)
        )
    ).one_or_none()
    if row is None:
        return None
    return ClaimedEffect(effect=row.body.model_copy(update={"tries": row.tries - 1}), epoch=row.epoch)


async def settle_effect(
    tx: AsyncConnection,
    claimed: ClaimedEffect,
    action: Action,
    reply: Reply | None,
    again_in: timedelta | None,
    handoff: Handoff | None,
    at: datetime,
) -> None:
    effect, id = claimed.effect, claimed.effect.proposal.id
    session = await locked(tx, effect.session)
    row = (await tx.execute(select(effects).where(effects.c.id == id).with_for_update())).one()
    if row.epoch != claimed.epoch:
        raise Fenced
    if row.status == SETTLED:
        return  # by this very claim, whose answer got lost
    if session.owner == Owner.HUMAN:
        reply = None
    await _rewrite_turn(tx, effect, action, reply)
    last = None
    if reply:
        once = f"{id}.{claimed.epoch}"
        last = await append(tx, session, Sender.BOT, reply, at, key=once, turn=effect.turn)
    changed: dict[str, object] = {"version": session.version + 1, "last_seq": last or session.last_seq}
    if handoff and session.owner == Owner.BOT:
        fenced = {"epoch": session.epoch + 1, "lease_until": LONG_AGO}  # a turn under way is the bot's
        changed |= {"owner": Owner.WAITING, "handoff": handoff} | fenced
        await tx.execute(note(session.id, at, "bot", "owner", before=session.owner, after=Owner.WAITING))
    await tx.execute(change(effect.session, **changed))
    await _rewrite_effect(tx, row, action, again_in)
    detail = {"effect": id, "status": action.status, "again": again_in is not None}
    await tx.execute(note(effect.session, at, "bot", "performed", **detail))


async def _rewrite_effect(
    tx: AsyncConnection, row: Row[Any], action: Action, again_in: timedelta | None
) -> None:
    status = SETTLED if again_in is None else PENDING
    due = row.next_at if again_in is None else from_now(again_in)
    await tx.execute(
        update(effects)
        .where(effects.c.id == row.id)
        .values(status=status, result=action, lease_until=LONG_AGO, next_at=due)
    )


async def _rewrite_turn(tx: AsyncConnection, effect: Effect, action: Action, reply: Reply | None) -> None:
    """Only the status is taken over: what the turn shows of the action is masked and stays so."""
    this = (turns.c.session == effect.session, turns.c.turn == effect.turn)
    row = (await tx.execute(select(turns.c.body, turns.c.exchange).where(*this))).one()
    body, exchange = row.body.model_copy(update={"actions": _settled(row.body, action)}), row.exchange
    if reply:
        said = {"reply": reply.text, "quick_replies": reply.quick_replies}
        body = body.model_copy(update=said)
        exchange = exchange.model_copy(update={"reply": reply.text})
    await tx.execute(update(turns).where(*this).values(body=body, exchange=exchange))


def _settled(turn: Turn, action: Action) -> tuple[Action, ...]:
    return tuple(
        shown.model_copy(update={"status": action.status})
        if (shown.name, shown.target) == (action.name, action.target)
        else shown
        for shown in turn.actions
    )


async def due_effects(tx: AsyncConnection, limit: int) -> list[ActionId]:
    due = (
        select(effects.c.id)
        .where(effects.c.status == PENDING)
        .where(effects.c.next_at <= from_now(), effects.c.lease_until <= from_now())
        .order_by(effects.c.next_at)
        .limit(limit)
    )
    return [ActionId(id) for id in (await tx.execute(due)).scalars()]
