"""A store filled for benchmarks: what is in it, many times over, by SQL alone. For a store that is thrown away.

The copies are rows as the bot has written them, under names of their own, each a second older than the one before.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import md5
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.database import read_url
from adapters.storage.columns import UtcTime
from adapters.storage.tables import audit, effects, messages, sessions, turns
from bot.domain.vocabulary import SessionId

T = TypeVar("T")

KEPT = 40
"""Copies of a session that stay the same customer's; the others are other customers'."""

AT_ONCE = 50_000
"""Sessions that one transaction copies."""

_QUICKLY = ("synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY", "busy_timeout = 30000")

_NUMBERS = (
    "WITH RECURSIVE number(k) AS (SELECT CAST(:first AS INTEGER) "
    "UNION ALL SELECT k + 1 FROM number WHERE k < CAST(:last AS INTEGER)) "
)
_NAMES = _NUMBERS.join(
    (
        "INSERT INTO copied (old, new, k) ",
        "SELECT seed.id, md5(seed.id || '.' || CAST(k AS TEXT)), k FROM number, seed",
    )
)
_LONGER_MESSAGES = (
    "INSERT INTO messages "
    '("session", seq, sender, "key", text, attachments, quick_replies, turn, at, delivery, next_at) '
    + _NUMBERS
    + 'SELECT "session", seq + k * CAST(:lines AS INTEGER), sender, "key" || \'.\' || CAST(k AS TEXT), text, '
    "attachments, quick_replies, turn + k, at, delivery, next_at "
    'FROM number, messages WHERE "session" = :id'
)
_LONGER_TURNS = (
    'INSERT INTO turns ("session", turn, epoch, version, body, exchange, at) '
    + _NUMBERS
    + 'SELECT "session", turn + k, epoch + k, version + k, body, exchange, at '
    'FROM number, turns WHERE "session" = :id'
)
_LONGER_SESSION = (
    "UPDATE sessions SET turns = turns + :more, epoch = epoch + :more, version = version + :more, "
    "last_seq = last_seq + :lines, asked_seq = asked_seq + :lines, done_seq = done_seq + :lines "
    "WHERE id = :id"
)

_CONSOLE = {
    "the 50 latest sessions": "SELECT * FROM sessions ORDER BY active_at DESC LIMIT 50",
    "the 50 that wait longest for a person": (
        "SELECT * FROM sessions WHERE owner = 'waiting' ORDER BY active_at LIMIT 50"
    ),
    "a customer's latest sessions": (
        "SELECT * FROM sessions WHERE customer = (SELECT max(customer) FROM sessions WHERE customer LIKE 'C-1001.%')"
        " ORDER BY active_at DESC LIMIT 20"
    ),
}
"""What an agent's page asks."""


class Copies:
    """Of a store's database. Every verb may take minutes."""

    def __init__(self, url: str) -> None:
        self._url = read_url(url)

    @staticmethod
    def of(session: SessionId, number: int) -> SessionId:
        """The name of a session's copy; the first is 1."""
        return SessionId(_md5(f"{session}.{number}"))

    async def multiply(self, times: int) -> None:
        """Each session with all that belongs to it, ``times`` times over."""
        await self._run(partial(_multiply, times=times))
        await self._run(_settle)

    async def lengthen(self, ids: Sequence[SessionId], turns: int) -> None:
        """Sessions of one turn get the same turn again, until they have ``turns``."""
        await self._run(partial(_lengthen, ids=ids, more=turns - 1))

    async def size(self) -> int:
        """Bytes of the database."""
        return await self._run(_size)

    async def look(self, repeats: int) -> Mapping[str, Sequence[float]]:
        """Milliseconds of what a console asks, each time."""
        return await self._run(partial(_look, repeats=repeats))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        if self._url.get_backend_name() == "sqlite":
            return await asyncio.to_thread(self._in_sqlite, work)
        engine = create_async_engine(self._url)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    def _in_sqlite(self, work: Callable[[Connection], T]) -> T:
        engine = create_engine(self._url.set(drivername="sqlite"))
        event.listen(engine, "connect", _prepare_sqlite)
        try:
            with engine.connect() as connection:
                return work(connection)
        finally:
            engine.dispose()


def _multiply(connection: Connection, times: int) -> None:
    connection.execute(text("CREATE TEMPORARY TABLE seed AS SELECT id FROM sessions"))
    connection.execute(text("CREATE TEMPORARY TABLE copied (old TEXT, new TEXT, k INTEGER)"))
    seeds = connection.execute(text("SELECT count(*) FROM seed")).scalar_one()
    step = max(1, AT_ONCE // seeds)
    for first in range(1, times + 1, step):
        connection.execute(text("DELETE FROM copied"))
        connection.execute(text(_NAMES), {"first": first, "last": min(times, first + step - 1)})
        for table in (sessions, messages, turns, effects, audit):
            connection.execute(text(_copying(table, connection.dialect.name)))
        connection.commit()


def _settle(connection: Connection) -> None:
    """What PostgreSQL does by itself after a while: it counts its rows. The log is written back."""
    whole = connection.execution_options(isolation_level="AUTOCOMMIT")
    if connection.dialect.name == "postgresql":
        whole.execute(text("VACUUM ANALYZE"))
        whole.execute(text("CHECKPOINT"))
    else:
        whole.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _lengthen(connection: Connection, ids: Sequence[SessionId], more: int) -> None:
    for id in ids:
        found = text("SELECT last_seq FROM sessions WHERE id = :id AND turns = 1")
        lines = connection.execute(found, {"id": id}).scalar_one()
        numbers = {"id": id, "first": 1, "last": more}
        connection.execute(text(_LONGER_MESSAGES), numbers | {"lines": lines})
        connection.execute(text(_LONGER_TURNS), numbers)
        connection.execute(text(_LONGER_SESSION), {"id": id, "more": more, "lines": more * lines})
    connection.commit()


def _size(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    return Path(str(connection.engine.url.database)).stat().st_size


def _look(connection: Connection, repeats: int) -> Mapping[str, Sequence[float]]:
    took: dict[str, list[float]] = {name: [] for name in _CONSOLE}
    for name, statement in _CONSOLE.items():
        for _ in range(repeats):
            began = perf_counter()
            connection.execute(text(statement)).all()
            took[name].append((perf_counter() - began) * 1000)
    return took


def _copying(table: Table, dialect: str) -> str:
    copied = {column.name: _copied(column, dialect) for column in table.columns if column is not audit.c.id}
    names = ", ".join(f'"{name}"' for name in copied)
    owner = "id" if table is sessions else "session"
    return " ".join(
        (
            f"INSERT INTO {table.name} ({names})",
            f"SELECT {', '.join(copied.values())}",
            f'FROM copied JOIN {table.name} AS old ON old."{owner}" = copied.old',
            "ORDER BY copied.new",  # as an index takes them best
        )
    )


def _copied(column: Column[Any], dialect: str) -> str:
    old = f'old."{column.name}"'
    if column in (sessions.c.id, sessions.c.user_id) or column.name == "session":
        return "copied.new"
    if column is sessions.c.customer:
        return f"CASE WHEN copied.k <= {KEPT} THEN {old} ELSE {old} || '.' || CAST(copied.k AS TEXT) END"
    if column is effects.c.id:
        return f"md5({old} || '.' || CAST(copied.k AS TEXT))"
    if column.name == "body":
        return f"replace({old}, copied.old, copied.new)"
    if isinstance(column.type, UtcTime) and column.name in ("at", "created_at", "active_at"):
        if dialect == "postgresql":
            return f"{old} - copied.k * INTERVAL '1 second'"
        return f"strftime('%Y-%m-%d %H:%M:%f000', {old}, '-' || copied.k || ' seconds')"
    return old


def _md5(word: str) -> str:
    return md5(word.encode(), usedforsecurity=False).hexdigest()


def _prepare_sqlite(connection: SqliteConnection, _: object) -> None:
    """PostgreSQL has an ``md5``; SQLite gets one."""
    connection.create_function("md5", 1, _md5)
    cursor = connection.cursor()
    for pragma in _QUICKLY:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
