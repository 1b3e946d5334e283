"""Brings a store's database up to date, with Alembic; the steps stand in ``migrations/versions``."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.storage.engine import Database

_STEPS = "adapters.storage:migrations"
"""By package, so that they are found in an installed wheel."""

_LOCK = 0x53484F54
"""The advisory lock of PostgreSQL under which one process at a time upgrades."""


async def upgrade(url: str) -> None:
    """To the newest version, all or nothing. Any number of processes may do it at once."""
    database = Database(url)
    try:
        await database.write(_upgrade)
    finally:
        await database.close()


async def is_current(url: str) -> bool:
    """Whether the database is at the newest version; an empty one is not."""
    database = Database(url)
    try:
        return await database.read(_is_current)
    finally:
        await database.close()


async def _upgrade(tx: AsyncConnection) -> None:
    if tx.dialect.name == "postgresql":  # SQLite holds the only lock since BEGIN IMMEDIATE
        await tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await tx.execute(text("SET LOCAL statement_timeout = 0"))
    await tx.run_sync(_run_steps)


async def _is_current(tx: AsyncConnection) -> bool:
    return await tx.run_sync(_at_head)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _STEPS)
    return config


def _run_steps(connection: Connection) -> None:
    if _at_head(connection):
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _at_head(connection: Connection) -> bool:
    heads = ScriptDirectory.from_config(_config()).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)
