"""The shop's records, as the order file of the contract spells them and as handlers see them.

Money is a Decimal with its currency; a time is aware (a naive one from outside is shop-local and is made
aware by the adapter that read it); a date without a time stays a date.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from bot.domain.base import Model
from bot.domain.vocabulary import (
    CouponStatus,
    CustomerId,
    ManagedBy,
    OrderStatus,
    RecordRef,
    RefundStatus,
    ShipmentStatus,
)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in one currency (ISO 4217)."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:.2f}"


def _two_decimals(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    whole, _, cents = value.partition(".") if isinstance(value, str) else ("", "", "")
    if not (whole.isascii() and whole.isdigit() and len(cents) == 2 and cents.isascii() and cents.isdigit()):
        raise ValueError('money is a string with two decimals, such as "88.00"')
    return Decimal(value)


def _moment(value: Any, info: ValidationInfo) -> Any:
    """Reads ISO 8601 into the zone that the validation context names as ``zone``; a naive time is in it."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    zone = (info.context or {}).get("zone")
    try:
        if isinstance(value, str) and len(value) == len("2026-01-01"):
            return date.fromisoformat(value)
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(zone) if zone else moment
    except (TypeError, ValueError, OverflowError):
        raise ValueError("a time is ISO 8601, such as 2025-12-01T08:30:00 or 2025-12-01") from None
    if zone is None:
        raise ValueError("a time without a zone needs the shop's zone")
    return moment.replace(tzinfo=zone)


def _time(value: Any, info: ValidationInfo) -> Any:
    """A date alone is the start of that day."""
    moment = _moment(value, info)
    return moment if isinstance(moment, datetime) else _moment(datetime.combine(moment, time()), info)


Amount = Annotated[
    Decimal,
    BeforeValidator(_two_decimals),
    PlainSerializer(lambda v: f"{v:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\.\d\d$"}),
]
Time = Annotated[datetime, BeforeValidator(_time)]
Moment = Annotated[datetime | date, BeforeValidator(_moment)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Key = Annotated[str, Field(min_length=1, max_length=120)]


class Customer(Model):
    """Somebody the order system knows. ``identities`` maps a channel to this person's id there."""

    id: CustomerId
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    identities: dict[str, str] = Field(default_factory=dict)


class Item(Model):
    """One row of an order; ``price`` is of one piece, in the order's currency."""

    title: str
    quantity: Annotated[int, Field(ge=1)] = 1
    price: Amount


class ShipmentEvent(Model):
    at: Time
    text: str


class Shipment(Model):
    carrier: str
    tracking_no: Key
    status: ShipmentStatus
    delivered_at: Time | None = None
    events: tuple[ShipmentEvent, ...] = ()

    @property
    def last_event(self) -> ShipmentEvent | None:
        """The latest thing that the carrier reported."""
        return max(self.events, key=lambda e: e.at, default=None)


class Order(Model):
    order_no: Key
    customer: CustomerId
    status: OrderStatus
    currency: Currency
    total: Amount
    ordered_at: Time
    address: str | None = None
    items: tuple[Item, ...] = ()
    shipment: Shipment | None = None

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"order {self.order_no}")

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def goods(self) -> tuple[str, ...]:
        """What was ordered, a few words each."""
        return tuple(f"{i.title} ×{i.quantity}" if i.quantity > 1 else i.title for i in self.items)


class Subscription(Model):
    """``managed_by`` says who can stop the renewal: the shop, or the app store that sold it.

    ``period`` is week, month, quarter, half_year, year or the shop's own word.
    """

    id: Key
    customer: CustomerId
    plan: str
    period: str
    price: Amount
    currency: Currency
    auto_renewal: bool
    next_charge_at: Moment | None = None
    managed_by: ManagedBy = "shop"

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"subscription {self.id}")

    @property
    def money(self) -> Money:
        return Money(self.price, self.currency)


class Charge(Model):
    charge_no: Key
    customer: CustomerId
    order_no: str | None = None
    subscription: str | None = None
    amount: Amount
    currency: Currency
    charged_at: Time
    method: str | None = None
    description: str | None = None

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"charge {self.charge_no}")

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Refund(Model):
    """Money going back; its currency is that of the charge."""

    refund_no: Key
    charge_no: str
    amount: Amount
    status: RefundStatus
    requested_at: Time
    expected_at: Moment | None = None

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"refund {self.refund_no}")


class Invoice(Model):
    invoice_no: Key
    order_no: str
    title: str
    amount: Amount
    status: str
    email: str | None = None
    issued_at: Time | None = None

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"invoice {self.invoice_no}")


class Coupon(Model):
    coupon_no: Key
    customer: CustomerId
    title: str
    discount: Amount
    min_spend: Amount
    currency: Currency
    status: CouponStatus
    valid_until: Moment | None = None

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"coupon {self.coupon_no}")


class Product(Model):
    sku: Key
    title: str
    price: Amount
    currency: Currency
    stock: Annotated[int, Field(ge=0)]
    attributes: dict[str, str] = Field(default_factory=dict)

    @property
    def ref(self) -> RecordRef:
        return RecordRef(f"product {self.sku}")


Record = Order | Subscription | Charge | Refund | Invoice | Coupon


class Records(Model):
    """A snapshot of what belongs to one customer: nothing else is in reach. Empty for a visitor."""

    customer: Customer | None = None
    orders: tuple[Order, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    coupons: tuple[Coupon, ...] = ()

    def order(self, order_no: str | None) -> Order | None:
        return next((o for o in self.orders if o.order_no == order_no), None)

    def subscription(self, id: str | None) -> Subscription | None:
        return next((s for s in self.subscriptions if s.id == id), None)

    def charge(self, charge_no: str | None) -> Charge | None:
        return next((c for c in self.charges if c.charge_no == charge_no), None)

    def charges_of(self, subscription: Subscription) -> tuple[Charge, ...]:
        """The charges of one subscription, the latest first."""
        mine = (c for c in self.charges if c.subscription == subscription.id)
        return tuple(sorted(mine, key=lambda c: c.charged_at, reverse=True))

    def currency_of(self, refund: Refund) -> str | None:
        charge = self.charge(refund.charge_no)
        return charge.currency if charge else None

    def all(self) -> Iterator[Record]:
        """Every record of the customer's own."""
        yield from self.orders
        yield from self.subscriptions
        yield from self.charges
        yield from self.refunds
        yield from self.invoices
        yield from self.coupons

    def by_ref(self, ref: str) -> Record | None:
        return next((r for r in self.all() if r.ref == ref), None)
