"""The order store's database: SQLite in a file or PostgreSQL, by URL, and its own migration history."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.orders.tables import VERSION_TABLE
from bot.domain.errors import Unavailable

_ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
_POSTGRES_TIMEOUTS = {"timeout": 10, "command_timeout": 30}
_MIGRATION_LOCK = 0x5D07_0D3E
"""Any number that nothing else in the same PostgreSQL locks."""


class Database:
    """Transactions that read one consistent state, and transactions that write."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        sqlite = self._engine.dialect.name == "sqlite"
        self._readers = self._engine if sqlite else _options(self._engine, isolation_level="REPEATABLE READ")
        self._writers = _options(self._engine, sqlite_begin="BEGIN IMMEDIATE")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Raises Unavailable."""
        with _translated():
            async with self._readers.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Raises Unavailable."""
        with _translated():
            async with self._writers.begin() as connection:
                yield connection

    async def migrate(self) -> None:
        """Brings the tables up to date; safe to call from several processes at once."""
        async with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            await connection.run_sync(_upgrade)

    async def is_current(self) -> bool:
        """Whether no migration is missing."""
        async with self.reading() as connection:
            return (
                await connection.run_sync(_revision)
                == ScriptDirectory.from_config(_config()).get_current_head()
            )

    async def close(self) -> None:
        await self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """A database that is away, locked or overrun is Unavailable; a wrong statement stays what it is."""
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise Unavailable("The order store does not answer now; please try again in a moment.") from error


def _engine(url: str) -> AsyncEngine:
    parsed = make_url(url)
    parsed = parsed.set(drivername=_ASYNC_DRIVERS.get(parsed.drivername, parsed.drivername))
    if parsed.get_backend_name() != "sqlite":
        return create_async_engine(parsed, pool_pre_ping=True, connect_args=_POSTGRES_TIMEOUTS)
    engine = create_async_engine(parsed)
    sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    sa.event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _options(engine: AsyncEngine, **options: Any) -> AsyncEngine:
    """The same pool, with other options."""
    return engine.execution_options(**options)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would leave reads and DDL outside
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer waits for its turn at the start: a reader that becomes one in the middle would fail."""
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def _upgrade(connection: sa.Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()
