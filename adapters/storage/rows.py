"""What several transactions share: the locked session, the log's next line, the audit's.

Statements are built once, at import: to build one costs more than to run it.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, not_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.storage.columns import LONG_AGO, from_now, over, seconds
from adapters.storage.tables import audit, messages, sessions
from bot.domain.errors import NotFound
from bot.domain.message import Address, Attachment, Entry, Reply, Sender
from bot.domain.vocabulary import SessionId

QUEUED = "queued"
SENT = "sent"
VOID = "void"
FAILED = "failed"

SessionRow = Row[Any]

_SESSION = select(
    sessions,
    not_(over(sessions.c.lease_until)).label("held"),
    not_(over(sessions.c.send_lease_until)).label("sending"),
    from_now().label("now"),
).with_for_update()
one_session = _SESSION.where(sessions.c.id == bindparam("session"))
_BY_ADDRESS = _SESSION.where(
    sessions.c.channel == bindparam("at_channel"),
    sessions.c.account == bindparam("at_account"),
    sessions.c.user_id == bindparam("at_user"),
)
_CHANGE = update(sessions).where(sessions.c.id == bindparam("session"))
_LEND = _CHANGE.values(lease_until=from_now(seconds("lease")))

_UNIQUE = ["session", "sender", "key"]
_LINE = {
    dialect.dialect.name: dialect.insert(messages).on_conflict_do_nothing(index_elements=_UNIQUE)
    for dialect in (postgresql, sqlite)
}
_LINE_TO_SEND = {name: line.values(next_at=from_now()) for name, line in _LINE.items()}
_LINE_OF = select(messages.c.seq).where(
    messages.c.session == bindparam("of_session"),
    messages.c.sender == bindparam("of_sender"),
    messages.c.key == bindparam("of_key"),
)
_NOTE = insert(audit)


def locked(tx: Connection, session: SessionId) -> SessionRow:
    """The session's row, until this transaction ends nobody else's. Raises NotFound.

    Whatever appends to the log holds it: thus lines become visible in the order of their numbers.
    """
    row = found(tx, session)
    if row is None:
        raise NotFound("There is no session of that name.")
    return row


def found(tx: Connection, session: SessionId) -> SessionRow | None:
    """The same, or None."""
    return tx.execute(one_session, {"session": session}).one_or_none()


def at(tx: Connection, address: Address) -> SessionRow | None:
    """The locked session of an address."""
    here = {"at_channel": address.channel, "at_account": address.account, "at_user": address.user}
    return tx.execute(_BY_ADDRESS, here).one_or_none()


def change(tx: Connection, session: SessionId, **values: Any) -> None:
    tx.execute(_CHANGE, {"session": session, **values})


def lend(tx: Connection, session: SessionId, lease: timedelta, **values: Any) -> None:
    """A lease from now on, by the clock of the database."""
    tx.execute(_LEND, {"session": session, "lease": lease.total_seconds(), **values})


NO_LEASE = {"lease_until": LONG_AGO}


def address_of(row: SessionRow) -> Address:
    return Address(channel=row.channel, account=row.account, user=row.user_id)


def append(
    tx: Connection,
    row: SessionRow,
    sender: Sender,
    said: Reply,
    at: datetime,
    *,
    key: str | None = None,
    turn: int | None = None,
    attachments: tuple[Attachment, ...] = (),
    tries: int = 0,
) -> int | None:
    """Writes the next line of a locked session's log; returns its number, None where the key is known.

    The caller's own change of the session brings ``last_seq`` after it.
    """
    seq = int(row.last_seq) + 1
    return seq if write_line(tx, row.id, seq, sender, said, at, key, turn, attachments, tries) else None


def write_line(
    tx: Connection,
    session: SessionId,
    seq: int,
    sender: Sender,
    said: Reply,
    at: datetime,
    key: str | None,
    turn: int | None = None,
    attachments: tuple[Attachment, ...] = (),
    tries: int = 0,
) -> bool:
    """Writes a line of a locked session's log, unless the key is known."""
    leaves = sender is not Sender.CUSTOMER
    line = (_LINE_TO_SEND if leaves else _LINE)[tx.dialect.name]
    values = {
        "session": session,
        "seq": seq,
        "sender": sender,
        "key": key,
        "text": said.text,
        "attachments": attachments,
        "quick_replies": said.quick_replies,
        "turn": turn,
        "at": at,
        "delivery": QUEUED if leaves else None,
        "tries": tries,
    }
    return tx.execute(line, values).rowcount == 1


def line_of(tx: Connection, session: SessionId, sender: Sender, key: str) -> int | None:
    """The number of the line that was written under this key, if there is one."""
    of = {"of_session": session, "of_sender": sender, "of_key": key}
    seq: int | None = tx.execute(_LINE_OF, of).scalar_one_or_none()
    return seq


def entry_of(row: Row[Any]) -> Entry:
    return Entry.model_construct(
        session=row.session,
        seq=row.seq,
        sender=Sender(row.sender),
        text=row.text,
        attachments=row.attachments,
        quick_replies=row.quick_replies,
        turn=row.turn,
        key=row.key,
        at=row.at,
    )


def note(tx: Connection, session: SessionId, at: datetime, actor: str, event: str, **detail: Any) -> None:
    """A line of the audit: names and numbers, never words or personal data."""
    tx.execute(_NOTE, {"session": session, "at": at, "actor": actor, "event": event, "detail": detail})
