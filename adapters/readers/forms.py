"""The forms that the contract gives to the values of facts; what is nearly in form is set right."""

import re
import unicodedata
from datetime import date, time
from decimal import Decimal
from typing import get_args

from bot.domain.vocabulary import (
    MONEY_FACTS,
    NUMBER_FACTS,
    TIME_FACTS,
    CouponStatus,
    FactName,
    OrderStatus,
    PaymentStatus,
    RefundStatus,
    RenewalState,
    ShipmentStatus,
)

CLOSED: dict[FactName, tuple[str, ...]] = {
    "auto_renewal": get_args(RenewalState),
    "order_status": get_args(OrderStatus),
    "payment_status": get_args(PaymentStatus),
    "refund_status": get_args(RefundStatus),
    "shipment_status": get_args(ShipmentStatus),
    "coupon_status": get_args(CouponStatus),
}
MONEY = r"[0-9]{1,9}\.[0-9]{2}"
TIME = r"([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?)?"
UNIT = r"[A-Z]{3}"
LONGEST = 120

_SIGNS = {
    "¥": "CNY",
    "元": "CNY",
    "RMB": "CNY",
    "$": "USD",
    "US$": "USD",
    "HK$": "HKD",
    "NT$": "TWD",
    "S$": "SGD",
    "€": "EUR",
    "£": "GBP",
}
_FIGURE = re.compile(r"^[^0-9.,]*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]{1,2}))?[^0-9.,]*$")
_DAY = re.compile(
    r"^(?:(\d{4})[-/.年])?(\d{1,2})[-/.月](\d{1,2})日?(?:[T\s]*(\d{1,2}):(\d{2})(?::(\d{2}))?)?$"
)
_NUMBER = re.compile(r"^(?=.*[0-9*])[0-9A-Za-z*_./#-]{4,64}$")


def value_in_form(name: FactName, value: str) -> str | None:
    """The value as the contract lists it; None where it says something else or nothing."""
    value = one_line(value)
    if name in MONEY_FACTS:
        return _money(unicodedata.normalize("NFKC", value))
    if name in TIME_FACTS:
        return _time(unicodedata.normalize("NFKC", value))
    if name in NUMBER_FACTS:
        number = unicodedata.normalize("NFKC", value).replace(" ", "")
        return number if _NUMBER.match(number) else None
    if name in CLOSED:
        return value.lower() if value.lower() in CLOSED[name] else None
    return value or None


def one_line(text: str) -> str:
    """Printable, without line breaks and doubled spaces, not too long."""
    kept = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(kept.split())[:LONGEST]


def unit_in_form(name: FactName, unit: str | None) -> str | None:
    """ISO 4217, for money alone."""
    if name not in MONEY_FACTS or unit is None:
        return None
    unit = unicodedata.normalize("NFKC", unit).strip().upper()
    unit = _SIGNS.get(unit, unit)
    return unit if re.fullmatch(UNIT, unit) else None


def _money(value: str) -> str | None:
    found = _FIGURE.match(value)
    if not found:
        return None
    amount = f"{Decimal(found[1].replace(',', '') + '.' + (found[2] or '0')):.2f}"
    return amount if re.fullmatch(MONEY, amount) else None


def _time(value: str) -> str | None:
    found = _DAY.match(value)
    if not found:
        return None
    year, month, day, hour, minute, second = found.groups()
    try:
        # Without a year, 29 February is possible.
        text = date(int(year or 2000), int(month), int(day)).isoformat()[0 if year else 5 :]
        if hour is None:
            return text
        clock = time(int(hour), int(minute), int(second or 0))
    except ValueError:
        return None
    return f"{text}T{clock.isoformat('seconds' if second else 'minutes')}"
