"""The order file of the contract: every problem in it is named at its place; records are spelt as in it."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from bot.domain.base import Model
from bot.domain.errors import BadOrderFile
from bot.domain.records import Charge, Coupon, Customer, Invoice, Order, Product, Refund, Subscription

MAX_BYTES = 64 * 1024 * 1024
MAX_PROBLEMS = 20
MAX_STOCK = 2**63 - 1

KEYS: dict[str, str] = {
    "customers": "id",
    "orders": "order_no",
    "subscriptions": "id",
    "charges": "charge_no",
    "refunds": "refund_no",
    "invoices": "invoice_no",
    "coupons": "coupon_no",
    "products": "sku",
}
"""The sections, none of which refers to a later one, and the key of the records in each."""


class OrderFile(Model):
    """The records of an order file, valid each by itself and numbered once each."""

    customers: tuple[Customer, ...] = ()
    orders: tuple[Order, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    products: tuple[Product, ...] = ()


def parse(data: bytes, zone: ZoneInfo) -> OrderFile:
    """Raises BadOrderFile, whose message has a line a problem."""
    text = _decode(data)
    refuse(list(_json_problems(text)))
    try:
        file = OrderFile.model_validate_json(text, strict=True, context={"zone": zone})
    except ValidationError as error:
        refuse([_problem(e["loc"], e["type"], e["msg"]) for e in error.errors(include_url=False)])
        raise
    refuse(list(_record_problems(file)))
    return file


def refuse(problems: list[str]) -> None:
    """Raises BadOrderFile if there is any problem."""
    if not problems:
        return
    lines = problems[:MAX_PROBLEMS]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"and {len(problems) - MAX_PROBLEMS} more")
    raise BadOrderFile("\n".join(lines))


def plain(record: BaseModel, zone: ZoneInfo) -> dict[str, Any]:
    """A record in the file's own spelling: shop-local times without a zone, money as strings."""
    spelt: dict[str, Any] = _spelt(record.model_dump(), zone)
    return spelt


def dump(file: OrderFile, zone: ZoneInfo) -> bytes:
    """The file that ``parse`` reads back into the same records."""
    return (json.dumps(plain(file, zone), ensure_ascii=False, indent=2) + "\n").encode()


def is_broken(text: str) -> bool:
    """Half a surrogate pair, or NUL, which databases refuse."""
    return "\0" in text or any("\ud800" <= char <= "\udfff" for char in text)


def _spelt(value: Any, zone: ZoneInfo) -> Any:
    match value:
        case dict():
            return {key: _spelt(inner, zone) for key, inner in value.items()}
        case list() | tuple():
            return [_spelt(inner, zone) for inner in value]
        case datetime():
            return value.astimezone(zone).replace(tzinfo=None).isoformat()
        case date():
            return value.isoformat()
        case _:
            return value


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise BadOrderFile(f"the file is larger than {MAX_BYTES // 1024**2} MiB; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadOrderFile(f"byte {error.start}: not valid UTF-8") from None


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys that stood in it more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs] if len(self) < len(pairs) else []
        self.doubled = sorted({key for key in keys if keys.count(key) > 1})


def _json_problems(text: str) -> Iterator[str]:
    """What a JSON reader would pass over in silence, or choke on."""
    try:
        tree = json.loads(text, object_pairs_hook=_Object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        yield f"line {error.lineno}, column {error.colno}: not JSON: {_lower(error.msg)}"
    except (ValueError, RecursionError) as error:
        yield f"not JSON: {error}" if isinstance(error, ValueError) else "not JSON: nested too deeply"
    else:
        if isinstance(tree, dict):
            yield from _walk(tree, ())
        else:
            yield "the file is one JSON object with sections such as orders"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _walk(value: Any, at: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(value, _Object):
        for key in value.doubled:
            yield f"{_place((*at, key))}: the key stands there twice"
        for key, inner in value.items():
            if is_broken(key):
                yield f"{_place(at)}: a key holds a character that is none"
            yield from _walk(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*at, index))
    elif isinstance(value, str) and is_broken(value):
        yield f"{_place(at)}: the text holds a character that is none"


def _record_problems(file: OrderFile) -> Iterator[str]:
    for section, key in KEYS.items():
        first: dict[str, int] = {}
        for index, record in enumerate(getattr(file, section)):
            number = getattr(record, key)
            if number in first:
                yield f"{section}[{index}].{key}: {number} is already {section}[{first[number]}]"
            first.setdefault(number, index)
    for index, product in enumerate(file.products):
        if product.stock > MAX_STOCK:
            yield f"products[{index}].stock: too large"
    owners: dict[tuple[str, str], str] = {}
    for index, customer in enumerate(file.customers):
        for channel, user in customer.identities.items():
            if owners.setdefault((channel, user), customer.id) != customer.id:
                owner = owners[channel, user]
                yield f"customers[{index}].identities.{channel}: {user} is already customer {owner}"


def _problem(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    said = {"extra_forbidden": "unknown key", "missing": "missing"}.get(kind)
    return f"{_place(loc)}: {said or _lower(message.removeprefix('Value error, '))}"


def _place(loc: tuple[int | str, ...]) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in loc)
    return place.removeprefix(".") or "the file"


def _printable(key: str) -> str:
    """A key as it may stand in a message: one short line."""
    return key[:80].encode("unicode_escape").decode() if not key.isprintable() else key[:80]


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
