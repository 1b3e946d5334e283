"""A database, SQLite or PostgreSQL: its connections, its settings, and what is done when it goes away."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, event, exc, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from bot.domain.errors import BadSettings, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[AsyncConnection, P], Awaitable[T]]

PATIENCE = 2.0
"""Seconds over which a lost transaction is tried again: less than a platform waits for its webhook."""

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}

_PASSES = ("08", "40", "53", "57")
"""SQLSTATE classes: connection; rolled back, as by a deadlock; resources; shutdown and time-out."""

_LASTS = ("25006", "28", "3D", "58", "XX")
"""SQLSTATEs: read-only, no access, no such database, the system's and the server's own errors."""

_SERVER = {
    "application_name": "shotdesk",
    "timezone": "UTC",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
}


class Database:
    """Runs transactions. SQLite has one writer at a time: there writers queue up for one connection."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self.url = read_url(url)
        self._patience = patience
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self._writer = _sqlite(self.url, connections=1)
            self._reader = _sqlite(self.url, connections=4)
        else:
            self._writer = _postgresql(self.url)
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ")

    async def write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction that changes something. ``work`` may run again: it must be safe to repeat."""
        return await self._run(self._writer, work, *args, **kwargs)

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction that only looks, at one state of the database."""
        return await self._run(self._reader, work, *args, **kwargs)

    async def _run(self, engine: AsyncEngine, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_passes),
                stop=stop_after_delay(self._patience),
                wait=wait_random_exponential(multiplier=0.02, max=0.5),
                reraise=True,
            ):
                with attempt:
                    async with engine.begin() as tx:
                        return await work(tx, *args, **kwargs)
        except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
            if not _is_away(error):
                raise
            raise Unavailable("The database does not answer now; please try again in a moment.") from error
        raise AssertionError("a retry ends with a result or an error")

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


def read_url(url: str) -> URL:
    """A database's address, with the driver that is used here. Raises BadSettings."""
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.get_backend_name()]
    except (exc.ArgumentError, KeyError):
        raise BadSettings("a database's address begins with sqlite:/// or postgresql://") from None
    if driver == "sqlite+aiosqlite" and parsed.database in (None, "", ":memory:"):
        raise BadSettings("SQLite needs a file: sqlite:////path/to/file.db")
    return parsed.set(drivername=driver)


def _passes(error: BaseException) -> bool:
    """Whether a lost connection, a restart or a deadlock may be over when the work is tried again."""
    if not isinstance(error, exc.DBAPIError):
        return isinstance(error, OSError)
    state = _state(error)
    return error.connection_invalidated or (
        state.startswith(_PASSES) if state else isinstance(error, exc.InterfaceError)
    )


def _is_away(error: BaseException) -> bool:
    """Whether it is the database that fails, and not a statement of ours that is wrong."""
    if not isinstance(error, exc.DBAPIError) or _passes(error):
        return True
    state = _state(error)
    return state.startswith(_LASTS) if state else isinstance(error, exc.OperationalError)


def _state(error: exc.DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _sqlite(url: URL, connections: int) -> AsyncEngine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=connections, max_overflow=0, pool_timeout=30)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    # a transaction that reads first and writes later would fail under a second process: take the lock at once
    begin = "BEGIN IMMEDIATE" if connections == 1 else "BEGIN"
    event.listen(engine.sync_engine, "begin", lambda tx: _begin(tx, begin))
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    cursor = connection.cursor()
    for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(tx: Connection, statement: str) -> None:
    tx.exec_driver_sql(statement)


def _postgresql(url: URL) -> AsyncEngine:
    options: dict[str, Any] = {"server_settings": _SERVER, "timeout": 5, "command_timeout": 15}
    return create_async_engine(
        url, pool_size=10, max_overflow=10, pool_timeout=10, pool_pre_ping=True, connect_args=options
    )
