"""``shotdesk migrate``: both databases up to date."""

from bot.app import migrate
from bot.cli import Out
from bot.settings import Settings


async def migrate_databases(out: Out) -> None:
    """Safe to run at any time, also by several processes at once."""
    await migrate(Settings.from_env())
    out.answer({"migrated": ["shotdesk", "orders"]}, "The databases are up to date.")
    out.exit()
