"""The tables of the truth."""

from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from adapters.storage.columns import Document, UtcTime, Words
from bot.domain.message import Attachment
from bot.domain.session import Action, Effect, Exchange, Handoff, Turn

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index on the few rows that a sweeper looks for."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


sessions = Table(
    "sessions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("channel", Words, nullable=False),
    Column("account", Words, nullable=False),
    Column("user_id", Words, nullable=False),
    Column("customer", Words),
    Column("owner", Text, nullable=False),
    Column("agent", Words, comment="the person who has it"),
    Column("handoff", Document(Handoff)),
    _count("last_seq"),  # the last line of the log
    _count("asked_seq"),  # the customer's last line
    _count("done_seq"),  # the customer's last line that a turn has answered
    _count("turns"),
    _count("version"),
    _count("epoch"),
    Column("holder", Text),  # null of one that was put off
    Column("lease_until", UtcTime, nullable=False),
    _count("held_seq"),  # the customer's last line of which it was said that the order system is down
    Column("held_at", UtcTime, comment="when the unanswered lines were first put off"),
    _count("send_epoch"),
    Column("send_lease_until", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("active_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "account", "user_id"),
    _partial("ix_sessions_unanswered", "lease_until", where="asked_seq > done_seq"),
    Index(None, "active_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("session", Words, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("sender", Text, nullable=False),
    Column("key", Words),
    Column("text", Words, nullable=False),
    Column("attachments", Document(tuple[Attachment, ...]), nullable=False),
    Column("quick_replies", Document(tuple[str, ...]), nullable=False),
    Column("turn", Integer),
    Column("at", UtcTime, nullable=False),
    Column("delivery", Text, comment="queued, sent, void or failed; null of what came in"),
    _count("tries"),
    Column("next_at", UtcTime),
    PrimaryKeyConstraint("session", "seq"),
    UniqueConstraint("session", "sender", "key"),
    _partial("ix_messages_queued", "session", "seq", where="delivery = 'queued'"),
)

turns = Table(
    "turns",
    metadata,
    Column("session", Words, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("epoch", Integer, nullable=False, comment="of the claim that committed it"),
    Column("version", Integer, nullable=False, comment="of the session after it"),
    Column("body", Document(Turn), nullable=False),
    Column("exchange", Document(Exchange), nullable=False),
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("session", "turn"),
    UniqueConstraint("session", "epoch"),
)

effects = Table(
    "effects",
    metadata,
    Column("id", Words, primary_key=True, comment="the idempotency key"),
    Column("session", Words, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("body", Document(Effect), nullable=False),
    Column("status", Text, nullable=False, comment="pending or settled"),
    Column("result", Document(Action)),  # null while the order system has not answered
    _count("told"),  # 1 once it was said that it is pending
    _count("tries"),
    _count("epoch"),
    Column("lease_until", UtcTime, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Index(None, "session", "turn"),
    _partial("ix_effects_pending", "next_at", where="status = 'pending'"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("session", Words, nullable=False),
    Column("actor", Words, nullable=False, comment="bot, or the agent's name"),
    Column("event", Text, nullable=False),
    Column("detail", Document(dict[str, Any]), nullable=False),
    Index(None, "session", "id"),
)

picture_keys = Table(
    "picture_keys",
    metadata,
    Column("id", Words, primary_key=True),
    Column("uploader", Words, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "created_at"),
)
