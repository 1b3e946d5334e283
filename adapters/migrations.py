"""Brings a database up to date, with Alembic: each adapter that has one has a history of its own."""

from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from adapters.database import Database

_LOCK = 0x53484F54
"""The advisory lock of PostgreSQL under which one process at a time upgrades."""


@dataclass(frozen=True, slots=True)
class History:
    """``steps`` names a folder by its package, ``package:folder``: so it is found in an installed wheel."""

    steps: str
    version_table: str = "alembic_version"

    async def upgrade(self, database: Database) -> None:
        """To the newest version, all or nothing. Any number of processes may do it at once."""
        await database.write(self._upgrade)

    async def is_current(self, database: Database) -> bool:
        """Whether the database is at the newest version; an empty one is not."""
        return await database.read(self._is_current)

    def _upgrade(self, tx: Connection) -> None:
        if tx.dialect.name == "postgresql":  # SQLite holds the only lock since BEGIN IMMEDIATE
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            tx.execute(text("SET LOCAL statement_timeout = 0"))
        self._run_steps(tx)

    def _is_current(self, tx: Connection) -> bool:
        return self._at_head(tx)

    def _run_steps(self, connection: Connection) -> None:
        if self._at_head(connection):
            return
        config = self._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def _at_head(self, connection: Connection) -> bool:
        heads = ScriptDirectory.from_config(self._config()).get_heads()
        context = MigrationContext.configure(connection, opts={"version_table": self.version_table})
        return set(context.get_current_heads()) == set(heads)

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", self.steps)
        return config
