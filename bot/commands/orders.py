"""``shotdesk orders``: load an order file, show a record."""

from pathlib import Path

from bot.app import opened_orders, read_order_file
from bot.cli import Out
from bot.domain.errors import ShotdeskError
from bot.settings import Settings


async def import_orders(file: str, out: Out) -> None:
    """All of the file or nothing. The database is brought up to date first."""
    settings = Settings.from_env()
    try:
        records = read_order_file(settings, Path(file))
        async with opened_orders(settings) as orders:
            await orders.load(records)
    except ShotdeskError as error:
        out.error({"file": file}, error.code, error.message)
    else:
        counts = {section: len(rows) for section, rows in records if rows}
        out.answer({"file": file, "imported": counts}, f"{file}: " + _counted(counts))
    out.exit()


async def show_record(number: str, out: Out) -> None:
    """The record as the order file spells it."""
    settings = Settings.from_env()
    try:
        async with opened_orders(settings) as orders:
            out.answer(await orders.show(number))
    except ShotdeskError as error:
        out.error({"number": number}, error.code, error.message)
    out.exit()


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {section}" for section, count in counts.items()) or "no records"
