"""Transactions on turns and effects: all of a turn or nothing, and each effect once."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, insert, not_, or_, select, update

from adapters.storage.columns import LONG_AGO, from_now, over, seconds
from adapters.storage.replies import first_queued, key_of, lend_sending, queued, take_line
from adapters.storage.rows import NO_LEASE, SessionRow, address_of, append, change, locked, note, one_session
from adapters.storage.tables import effects, messages, picture_keys, sessions, turns
from bot.domain.message import Entry, Reply, Sender
from bot.domain.ports import ClaimedEffect, Committed, Fenced, Outgoing, Superseded, Ticket
from bot.domain.session import Action, Draft, Effect, Handoff, Owner, Turn
from bot.domain.vocabulary import ActionId

PENDING = "pending"
SETTLED = "settled"

_TURN = insert(turns)
_COMMITTING = one_session.add_columns(
    exists(queued.where(messages.c.session == sessions.c.id)).label("behind")
)
_COMMITTED = select(turns.c.version, turns.c.turn).where(
    turns.c.session == bindparam("of_session"), turns.c.epoch == bindparam("of_epoch")
)
_ANSWERED = update(messages).where(
    messages.c.session == bindparam("of_session"),
    messages.c.sender == Sender.CUSTOMER,
    messages.c.seq > bindparam("done"),
    messages.c.seq <= bindparam("asked"),
)
_END_OF_ORIGINALS = delete(picture_keys).where(picture_keys.c.id.in_(bindparam("seen", expanding=True)))
_EFFECT = insert(effects).values(next_at=from_now())
_EARLIER = effects.alias()
_FOLLOWS = exists().where(
    _EARLIER.c.session == effects.c.session,
    _EARLIER.c.turn < effects.c.turn,
    _EARLIER.c.status == PENDING,
    _EARLIER.c.result.is_(None),
)
"""Whether the order system has not answered yet about something that the session has asked for before."""
_IS_DUE = (
    effects.c.status == PENDING,
    or_(effects.c.tries == 0, over(effects.c.next_at)),
    over(effects.c.lease_until),
    or_(effects.c.told == 0, not_(_FOLLOWS)),
)
_CLAIM_EFFECT = (
    update(effects)
    .where(effects.c.id == bindparam("effect"), *_IS_DUE)
    .values(epoch=effects.c.epoch + 1, tries=effects.c.tries + 1, lease_until=from_now(seconds("lease")))
    .returning(effects.c.body, effects.c.epoch, effects.c.tries, effects.c.told)
)
_FOLLOWING = select(effects.c.id).where(effects.c.id == bindparam("effect"), _FOLLOWS)
_THIS_EFFECT = select(effects).where(effects.c.id == bindparam("effect")).with_for_update()
_CHANGE_EFFECT = update(effects).where(effects.c.id == bindparam("effect"))
_AGAIN = _CHANGE_EFFECT.values(next_at=from_now(seconds("again")))
_THIS_TURN = (turns.c.session == bindparam("of_session"), turns.c.turn == bindparam("of_turn"))
_TOLD = select(turns.c.body, turns.c.exchange).where(*_THIS_TURN)
_RETELL = update(turns).where(*_THIS_TURN)
_DUE = select(effects.c.id).where(*_IS_DUE).order_by(effects.c.next_at)
_RESUME = update(effects).where(effects.c.status == PENDING).values(next_at=from_now())


def commit(
    tx: Connection, ticket: Ticket, draft: Draft, final: bool, sending: timedelta | None, at: datetime
) -> Committed:
    row = tx.execute(_COMMITTING, {"session": ticket.session}).one()
    if row.epoch != ticket.epoch:
        return _committed_before(tx, row, ticket, sending)
    if row.asked_seq != ticket.upto and not final:
        raise Superseded
    version = int(row.version) + 1
    _keep_turn(tx, row, ticket, draft, version, at)
    sends = sending if draft.reply and not (row.sending or row.behind) else None
    last = row.last_seq
    if draft.reply:
        last = append(
            tx, row, Sender.BOT, draft.reply, at, turn=draft.turn.turn, tries=int(sends is not None)
        )
    if draft.effect:
        _keep_effect(tx, draft.effect, at)
    if draft.seen:
        tx.execute(_END_OF_ORIGINALS, {"seen": draft.seen})
    if draft.owner != row.owner:
        note(tx, ticket.session, at, "bot", "owner", before=row.owner, after=draft.owner)
    handoff = None if draft.owner is Owner.BOT else draft.turn.handoff or row.handoff
    changed = {
        "last_seq": last,
        "done_seq": ticket.upto,
        "turns": draft.turn.turn,
        "version": version,
        "owner": draft.owner,
        "handoff": handoff,
        "epoch": ticket.epoch + 1,  # the ticket is used up: a late ``renew`` of it takes nothing back
        "lease_until": LONG_AGO,
        "held_at": None,
    }
    more = row.asked_seq > ticket.upto
    if sends is None or last is None or draft.reply is None:
        change(tx, ticket.session, **changed)
        return Committed(version, more=more)
    lend_sending(tx, ticket.session, sends, send_epoch=row.send_epoch + 1, **changed)
    return Committed(version, _outgoing(row, last, draft.reply, draft.turn.turn, at), more)


def _outgoing(row: SessionRow, seq: int, reply: Reply, turn: int, at: datetime) -> Outgoing:
    entry = Entry(
        session=row.id,
        seq=seq,
        sender=Sender.BOT,
        text=reply.text,
        quick_replies=reply.quick_replies,
        turn=turn,
        at=at,
    )
    return Outgoing(entry, address_of(row), epoch=row.send_epoch + 1, key=key_of(entry), tries=0)


def _committed_before(
    tx: Connection, row: SessionRow, ticket: Ticket, sending: timedelta | None
) -> Committed:
    """What this very ticket has made, if only the answer got lost. Raises Fenced."""
    mine = {"of_session": ticket.session, "of_epoch": ticket.epoch}
    made = tx.execute(_COMMITTED, mine).one_or_none()
    if made is None:
        raise Fenced
    more = row.asked_seq > row.done_seq
    line = first_queued(tx, ticket.session) if sending else None
    if sending is None or line is None or line.turn != made.turn:
        return Committed(made.version, more=more)
    return Committed(made.version, take_line(tx, row, line, sending), more)


def _keep_turn(
    tx: Connection, row: SessionRow, ticket: Ticket, draft: Draft, version: int, at: datetime
) -> None:
    turn = draft.turn
    values = {
        "session": row.id,
        "turn": turn.turn,
        "epoch": ticket.epoch,
        "version": version,
        "body": turn,
        "exchange": draft.exchange,
        "at": at,
    }
    tx.execute(_TURN, values)
    answered = {"of_session": row.id, "done": row.done_seq, "asked": ticket.upto}
    tx.execute(_ANSWERED, answered | {"turn": turn.turn})


def _keep_effect(tx: Connection, effect: Effect, at: datetime) -> None:
    action, id = effect.proposal.action, effect.proposal.id
    values = {
        "id": id,
        "session": effect.session,
        "turn": effect.turn,
        "body": effect,
        "status": PENDING,
        "lease_until": LONG_AGO,
    }
    tx.execute(_EFFECT, values)
    note(tx, effect.session, at, "bot", "confirmed", effect=id, action=action.name, target=action.target)


def claim_effect(tx: Connection, id: ActionId, lease: timedelta) -> ClaimedEffect | None:
    row = tx.execute(_CLAIM_EFFECT, {"effect": id, "lease": lease.total_seconds()}).one_or_none()
    if row is None:
        return None
    follows = not row.told and tx.execute(_FOLLOWING, {"effect": id}).first() is not None
    effect = row.body.model_copy(update={"tries": row.tries - 1})
    return ClaimedEffect(effect=effect, epoch=row.epoch, follows=follows)


def settle_effect(
    tx: Connection,
    claimed: ClaimedEffect,
    action: Action,
    reply: Reply | None,
    again_in: timedelta | None,
    accepted: bool,
    handoff: Handoff | None,
    at: datetime,
) -> None:
    effect, id = claimed.effect, claimed.effect.proposal.id
    session = locked(tx, effect.session)
    row = tx.execute(_THIS_EFFECT, {"effect": id}).one()
    if row.epoch != claimed.epoch:
        raise Fenced
    if row.status == SETTLED:
        return  # by this very claim, whose answer got lost
    if again_in is None:
        tx.execute(_CHANGE_EFFECT, {"effect": id, "result": action, "status": SETTLED, **NO_LEASE})
    else:
        answer = {"result": action} if accepted else {}
        again = {"again": again_in.total_seconds(), "told": 1}
        tx.execute(_AGAIN, {"effect": id, **again, **answer, **NO_LEASE})
    if again_in is None or not row.told:
        _tell(tx, session, claimed, action, reply, handoff, at)
    again_too = again_in is not None
    note(tx, effect.session, at, "bot", "performed", effect=id, status=action.status, again=again_too)


def _tell(
    tx: Connection,
    session: SessionRow,
    claimed: ClaimedEffect,
    action: Action,
    reply: Reply | None,
    handoff: Handoff | None,
    at: datetime,
) -> None:
    """Into the turn, the log, and where it ends with a person, the session."""
    effect = claimed.effect
    if session.owner == Owner.HUMAN:
        reply = None
    _rewrite_turn(tx, effect, action, reply)
    last = None
    if reply:
        once = f"{effect.proposal.id}.{claimed.epoch}"
        last = append(tx, session, Sender.BOT, reply, at, key=once, turn=effect.turn)
    changed: dict[str, object] = {"version": session.version + 1, "last_seq": last or session.last_seq}
    if handoff and session.owner == Owner.BOT:
        fenced = {"epoch": session.epoch + 1, "lease_until": LONG_AGO}  # a turn under way is the bot's
        changed |= {"owner": Owner.WAITING, "handoff": handoff} | fenced
        note(tx, effect.session, at, "bot", "owner", before=session.owner, after=Owner.WAITING)
    change(tx, effect.session, **changed)


def _rewrite_turn(tx: Connection, effect: Effect, action: Action, reply: Reply | None) -> None:
    """Only the status is taken over: what the turn shows of the action is masked and stays so."""
    this = {"of_session": effect.session, "of_turn": effect.turn}
    row = tx.execute(_TOLD, this).one()
    body, exchange = row.body.model_copy(update={"actions": _settled(row.body, action)}), row.exchange
    if reply:
        said = {"reply": reply.text, "quick_replies": reply.quick_replies}
        body = body.model_copy(update=said)
        exchange = exchange.model_copy(update={"reply": reply.text})
    tx.execute(_RETELL, this | {"body": body, "exchange": exchange})


def _settled(turn: Turn, action: Action) -> tuple[Action, ...]:
    return tuple(
        shown.model_copy(update={"status": action.status})
        if (shown.name, shown.target) == (action.name, action.target)
        else shown
        for shown in turn.actions
    )


def resume(tx: Connection) -> None:
    tx.execute(_RESUME)


def due_effects(tx: Connection, limit: int) -> list[ActionId]:
    return [ActionId(id) for id in tx.execute(_DUE.limit(limit)).scalars()]
