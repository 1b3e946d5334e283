"""Brings the store's database up to date; the steps stand in ``migrations/versions``."""

from adapters.database import Database
from adapters.migrations import History

PATIENCE = 30.0
"""Seconds that one process waits for another one's upgrade."""

_HISTORY = History("adapters.storage:migrations")


async def upgrade(url: str) -> None:
    """To the newest version, all or nothing. Any number of processes may do it at once."""
    database = Database(url, patience=PATIENCE)
    try:
        await _HISTORY.upgrade(database)
    finally:
        await database.close()


async def is_current(url: str) -> bool:
    """Whether the database is at the newest version; an empty one is not."""
    database = Database(url)
    try:
        return await _HISTORY.is_current(database)
    finally:
        await database.close()
