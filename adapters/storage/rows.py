"""What several transactions share: the locked session, the log's next line, the audit's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Row, Table, Update, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storage.columns import from_now
from adapters.storage.tables import audit, messages, sessions
from bot.domain.errors import NotFound
from bot.domain.message import Address, Attachment, Entry, Reply, Sender
from bot.domain.vocabulary import SessionId

QUEUED = "queued"
SENT = "sent"
VOID = "void"
FAILED = "failed"

SessionRow = Row[Any]

_LOCKED = (
    select(
        sessions,
        (sessions.c.lease_until > from_now()).label("held"),
        (sessions.c.send_lease_until > from_now()).label("sending"),
    )
    .where(sessions.c.id == bindparam("session"))
    .with_for_update()
)


async def locked(tx: AsyncConnection, session: SessionId) -> SessionRow:
    """The session's row, until this transaction ends nobody else's. Raises NotFound.

    Whatever appends to the log holds it: thus lines become visible in the order of their numbers.
    """
    row = (await tx.execute(_LOCKED, {"session": session})).one_or_none()
    if row is None:
        raise NotFound("There is no session of that name.")
    return row


def change(session: SessionId, **values: Any) -> Update:
    return update(sessions).where(sessions.c.id == session).values(**values)


def address_of(row: SessionRow) -> Address:
    return Address(channel=row.channel, account=row.account, user=row.user_id)


async def insert_once(tx: AsyncConnection, table: Table, unique: Sequence[str] | None, **values: Any) -> bool:
    """Inserts a row and returns True, unless one has the same ``unique`` columns (None: whichever)."""
    dialect = sqlite if tx.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing(index_elements=unique)
    return (await tx.execute(statement)).rowcount == 1


async def append(
    tx: AsyncConnection,
    row: SessionRow,
    sender: Sender,
    said: Reply,
    at: datetime,
    *,
    key: str | None = None,
    turn: int | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> int | None:
    """Writes the next line of a locked session's log; returns its number, None where the key is known.

    The caller's own change of the session brings ``last_seq`` after it.
    """
    seq = int(row.last_seq) + 1
    leaves = sender is not Sender.CUSTOMER
    fresh = await insert_once(
        tx,
        messages,
        ["session", "sender", "key"],
        session=row.id,
        seq=seq,
        sender=sender,
        key=key,
        text=said.text,
        attachments=attachments,
        quick_replies=said.quick_replies,
        turn=turn,
        at=at,
        delivery=QUEUED if leaves else None,
        next_at=from_now() if leaves else None,
    )
    return seq if fresh else None


async def line_of(tx: AsyncConnection, session: SessionId, sender: Sender, key: str) -> int:
    """The number of the line that was written under this key."""
    of_key = (messages.c.session == session, messages.c.sender == sender, messages.c.key == key)
    return int((await tx.execute(select(messages.c.seq).where(*of_key))).scalar_one())


def entry_of(row: Row[Any]) -> Entry:
    return Entry(
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


def note(session: SessionId, at: datetime, actor: str, event: str, **detail: Any) -> Insert:
    """A line of the audit: names and numbers, never words or personal data."""
    return insert(audit).values(session=session, at=at, actor=actor, event=event, detail=detail)
