"""A store filled for benchmarks: what is in it, many times over, by SQL alone. For a store that is thrown away.

The copies are rows as the bot has written them, under names of their own, each a second older than the one before.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import md5
from time import perf_counter
from typing import Any

from sqlalchemy import Column, Table, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from adapters.database import read_url
from adapters.storage.columns import UtcTime
from adapters.storage.tables import audit, effects, messages, sessions, turns
from bot.domain.vocabulary import SessionId

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
    """Of a store's database."""

    def __init__(self, url: str) -> None:
        self._url = read_url(url)

    @staticmethod
    def of(session: SessionId, number: int) -> SessionId:
        """The name of a session's copy; the first is 1."""
        return SessionId(_md5(f"{session}.{number}"))

    async def multiply(self, times: int) -> None:
        """Each session with all that belongs to it, ``times`` times over."""
        async with self._connected() as connection:
            await connection.execute(text("CREATE TEMPORARY TABLE seed AS SELECT id FROM sessions"))
            await connection.execute(text("CREATE TEMPORARY TABLE copied (old TEXT, new TEXT, k INTEGER)"))
            seeds = (await connection.execute(text("SELECT count(*) FROM seed"))).scalar_one()
            await connection.commit()
            step = max(1, AT_ONCE // seeds)
            for first in range(1, times + 1, step):
                last = min(times, first + step - 1)
                await connection.execute(text("DELETE FROM copied"))
                await connection.execute(text(_NAMES), {"first": first, "last": last})
                for table in (sessions, messages, turns, effects, audit):
                    await connection.execute(text(_copying(table, connection.dialect.name)))
                await connection.commit()
        await self._settle()

    async def lengthen(self, ids: Iterable[SessionId], turns: int) -> None:
        """Sessions of one turn get the same turn again, until they have ``turns``."""
        more = turns - 1
        async with self._connected() as connection:
            for id in ids:
                lines = text("SELECT last_seq FROM sessions WHERE id = :id AND turns = 1")
                a_turn = (await connection.execute(lines, {"id": id})).scalar_one()
                numbers = {"id": id, "first": 1, "last": more}
                await connection.execute(text(_LONGER_MESSAGES), numbers | {"lines": a_turn})
                await connection.execute(text(_LONGER_TURNS), numbers)
                grown = {"id": id, "more": more, "lines": more * a_turn}
                await connection.execute(text(_LONGER_SESSION), grown)
            await connection.commit()

    async def size(self) -> int:
        """Bytes of the database."""
        async with self._connected() as connection:
            if connection.dialect.name == "postgresql":
                found = await connection.execute(text("SELECT pg_database_size(current_database())"))
                return int(found.scalar_one())
        return await asyncio.to_thread(os.path.getsize, str(self._url.database))

    async def look(self, repeats: int) -> Mapping[str, Sequence[float]]:
        """Milliseconds of what a console asks, each time."""
        took: dict[str, list[float]] = {name: [] for name in _CONSOLE}
        async with self._connected() as connection:
            for name, statement in _CONSOLE.items():
                for _ in range(repeats):
                    began = perf_counter()
                    (await connection.execute(text(statement))).all()
                    took[name].append((perf_counter() - began) * 1000)
        return took

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        engine = create_async_engine(self._url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        try:
            async with engine.connect() as connection:
                yield connection
        finally:
            await engine.dispose()

    async def _settle(self) -> None:
        """What PostgreSQL does by itself after a while: it counts its rows. The log is written back."""
        async with self._connected() as connection:
            whole = await connection.execution_options(isolation_level="AUTOCOMMIT")
            if connection.dialect.name == "postgresql":
                await whole.execute(text("VACUUM ANALYZE"))
                await whole.execute(text("CHECKPOINT"))
            else:
                await whole.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


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


def _prepare_sqlite(connection: DBAPIConnection, _: object) -> None:
    """PostgreSQL has an ``md5``; SQLite gets one."""
    connection.create_function("md5", 1, _md5)
    cursor = connection.cursor()
    for pragma in _QUICKLY:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
