"""The demo shop: the records of ``shop.yml``, moved to the clock's today."""

import calendar
import re
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from typing import Any

import yaml

from adapters.orders.file import OrderFile
from adapters.orders.sql import SqlOrders

_DAY = r"(?P<days>[+-]\d+)d(?: (?P<months>[+-]\d+)m)?"
_WHEN = re.compile(_DAY + r"(?: (?P<time>\d\d:\d\d(?::\d\d)?))?")
_HOURS_AGO = re.compile(r"-(?P<hours>\d+)h")
_DAY_IN_NUMBER = re.compile(r"\$\{" + _DAY + r"\}")


def demo_shop(now: datetime) -> OrderFile:
    """The same records for the same clock; none of what has happened lies in the future.

    ``now`` is aware, in the shop's zone.
    """
    text = files(__package__).joinpath("shop.yml").read_text(encoding="utf-8")
    return OrderFile.model_validate(_moved(yaml.safe_load(text), now), context={"zone": now.tzinfo})


async def open_demo_shop(orders: SqlOrders, now: datetime) -> OrderFile:
    """Puts today's shop into the store, in place of what was there: every start of the demo begins afresh."""
    shop = demo_shop(now)
    await orders.load(shop, afresh=True)
    return shop


def months_later(day: date, months: int) -> date:
    """The same day of another month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _moved(value: Any, now: datetime) -> Any:
    match value:
        case dict():
            return {key: _moved(inner, now) for key, inner in value.items()}
        case list():
            return [_moved(inner, now) for inner in value]
        case str():
            return _when(value, now) or _DAY_IN_NUMBER.sub(lambda m: f"{_day(m, now):%Y%m%d}", value)
        case _:
            return value


def _when(text: str, now: datetime) -> str | None:
    """The time that a text says relative to the clock, if it says one."""
    if ago := _HOURS_AGO.fullmatch(text):
        return (now.replace(second=0, microsecond=0) - timedelta(hours=int(ago["hours"]))).isoformat()
    if not (said := _WHEN.fullmatch(text)):
        return None
    day = _day(said, now)
    return (
        datetime.combine(day, time.fromisoformat(said["time"])).isoformat()
        if said["time"]
        else day.isoformat()
    )


def _day(said: re.Match[str], now: datetime) -> date:
    return months_later(now.date() + timedelta(days=int(said["days"])), int(said["months"] or 0))
