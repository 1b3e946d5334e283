"""A database, SQLite or PostgreSQL: its connections, its settings, and what is done when it goes away.

A transaction is a plain function of a connection. On SQLite it runs in a thread of its own, all of it in one
go: to hand each statement over to a thread costs more than the statement. On PostgreSQL it runs on the event
loop and lets go of it at each statement (SQLAlchemy's ``run_sync``).
"""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import URL, Connection, exc, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from adapters.sqlite import QUEUES, Reading, Writing
from bot.domain.errors import BadSettings, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Connection, P], T]

PATIENCE = 2.0
"""Seconds over which a lost transaction is tried again, and for which one waits for another process's lock on
an SQLite file: less than a platform waits for its webhook."""

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
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
        self._writer: _Runner
        self._reader: _Runner
        if self.dialect == "sqlite":
            self._writer, self._reader = Writing(self.url, patience), Reading(self.url, patience)
        else:
            engine = _postgresql(self.url)
            self._writer = _Greenlets(engine)
            self._reader = _Greenlets(engine.execution_options(isolation_level="REPEATABLE READ"))

    async def write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction that changes something. ``work`` may run again: it must be safe to repeat."""
        return await self._run(self._writer, work, *args, **kwargs)

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction that only looks, at one state of the database."""
        return await self._run(self._reader, work, *args, **kwargs)

    async def _run(self, runner: "_Runner", work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            try:
                return await runner.run(work, *args, **kwargs)
            except (exc.DBAPIError, OSError) as error:
                if not _passes(error):
                    raise
            async for attempt in self._attempts():
                with attempt:
                    return await runner.run(work, *args, **kwargs)
        except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
            if not _is_away(error):
                raise
            raise Unavailable("The database does not answer now; please try again in a moment.") from error
        raise AssertionError("a retry ends with a result or an error")

    def _attempts(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_delay(self._patience),
            wait=wait_random_exponential(multiplier=0.02, max=0.5),
            reraise=True,
        )

    async def close(self) -> None:
        await self._writer.close()
        await self._reader.close()


class _Runner(Protocol):
    """Runs one transaction, once."""

    async def run(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def close(self) -> None: ...


class _Greenlets:
    """PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def run(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._engine.begin() as tx:
            return await tx.run_sync(work, *args, **kwargs)

    async def close(self) -> None:
        await self._engine.dispose()


def read_url(url: str) -> URL:
    """A database's address, with the driver that is used here. Raises BadSettings."""
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.get_backend_name()]
    except (exc.ArgumentError, KeyError):
        raise BadSettings("a database's address begins with sqlite:/// or postgresql://") from None
    if driver.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
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


def _postgresql(url: URL) -> AsyncEngine:
    """A dead connection shows at the first statement; then the pool is renewed and the work tried again."""
    options: dict[str, Any] = {"server_settings": _SERVER, "timeout": 5, "command_timeout": 15}
    return create_async_engine(url, pool_size=10, max_overflow=10, pool_timeout=QUEUES, connect_args=options)
