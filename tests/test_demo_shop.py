"""The demo shop: records that follow the clock, and pictures of them."""

from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from adapters.orders.demo.screenshots import Screenshot, records_of, screenshots
from adapters.orders.demo.shop import demo_shop, months_later, open_demo_shop
from adapters.orders.file import OrderFile, dump, parse
from adapters.orders.sql import SqlOrders
from bot.domain.records import Records
from bot.domain.session import Action
from bot.domain.vocabulary import (
    ActionId,
    CouponStatus,
    CustomerId,
    ManagedBy,
    OrderStatus,
    RefundStatus,
    ShipmentStatus,
)

ZONE = ZoneInfo("Asia/Shanghai")
CLOCKS = [
    datetime(2026, 1, 31, 9, 41, tzinfo=ZONE),
    datetime(2028, 2, 29, 0, 0, 30, tzinfo=ZONE),
    datetime(2026, 3, 2, 23, 59, 59, tzinfo=ZONE),
    datetime(2026, 5, 31, 1, 0, tzinfo=ZONE),
    datetime(2025, 12, 1, 12, 0, tzinfo=ZoneInfo("America/New_York")),
]


@pytest.fixture(params=CLOCKS, ids=str)
def now(request: pytest.FixtureRequest) -> datetime:
    clock: datetime = request.param
    return clock


@pytest.fixture
def shop(now: datetime) -> OrderFile:
    return demo_shop(now)


def past(shop: OrderFile) -> Iterator[datetime]:
    """The time of everything that has happened."""
    yield from (order.ordered_at for order in shop.orders)
    yield from (charge.charged_at for charge in shop.charges)
    yield from (refund.requested_at for refund in shop.refunds)
    yield from (invoice.issued_at for invoice in shop.invoices if invoice.issued_at)
    for order in shop.orders:
        if order.shipment:
            yield from (event.at for event in order.shipment.events)
            yield from filter(None, [order.shipment.delivered_at])


def test_it_is_an_order_file(shop: OrderFile, now: datetime) -> None:
    assert isinstance(now.tzinfo, ZoneInfo)
    assert parse(dump(shop, now.tzinfo), now.tzinfo) == shop


def test_the_same_clock_makes_the_same_shop(now: datetime) -> None:
    assert demo_shop(now) == demo_shop(now)


def test_nothing_has_happened_in_the_future(shop: OrderFile, now: datetime) -> None:
    assert now - timedelta(days=1, hours=24) < max(past(shop)) <= now


def test_renewals_are_a_month_apart(shop: OrderFile, now: datetime) -> None:
    records = records_of(shop, "C-1001")
    gold = records.subscriptions[0]
    days = [charge.charged_at.date() for charge in records.charges_of(gold)]
    last = now.date() - timedelta(days=2)
    assert days == [last, months_later(last, -1), months_later(last, -2)]
    assert gold.next_charge_at == months_later(last, 1)
    assert all(c.charged_at.time().isoformat() == "08:30:00" for c in records.charges_of(gold))


def test_what_renews_is_charged_later_than_today(shop: OrderFile, now: datetime) -> None:
    for subscription in shop.subscriptions:
        assert subscription.auto_renewal == (subscription.next_charge_at is not None)
        if subscription.next_charge_at:
            assert isinstance(subscription.next_charge_at, date)
            assert subscription.next_charge_at > now.date()


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(2025, 12, 31), 2, date(2026, 2, 28)),
        (date(2026, 5, 5), 12, date(2027, 5, 5)),
    ],
)
def test_months_end_early(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later


def test_the_shop_has_a_case_of_everything(shop: OrderFile) -> None:
    shipments = [o.shipment for o in shop.orders if o.shipment]
    for records, field, words in (
        (shop.orders, "status", OrderStatus),
        (shipments, "status", ShipmentStatus),
        (shop.refunds, "status", RefundStatus),
        (shop.coupons, "status", CouponStatus),
        (shop.subscriptions, "managed_by", ManagedBy),
    ):
        assert {getattr(record, field) for record in records} == set(get_args(words))
    paid_for = [c.order_no for c in shop.charges if c.order_no]
    assert len(paid_for) > len(set(paid_for)), "an order is paid twice"
    assert {c.currency for c in shop.charges} == {"CNY", "USD", "HKD"}


def test_orders_add_up(shop: OrderFile) -> None:
    for order in shop.orders:
        assert sum(item.price * item.quantity for item in order.items) == order.total
    for charge, order in ((c, o) for c in shop.charges for o in shop.orders if c.order_no == o.order_no):
        assert (charge.amount, charge.currency) == (order.total, order.currency)
        assert charge.charged_at > order.ordered_at


@pytest.fixture
async def orders(now: datetime, tmp_path: Path) -> AsyncIterator[SqlOrders]:
    assert isinstance(now.tzinfo, ZoneInfo)
    orders = SqlOrders(f"sqlite:///{tmp_path}/orders.db", now.tzinfo, lambda: now)
    await orders.migrate()
    yield orders
    await orders.close()


async def test_it_loads_and_shows(orders: SqlOrders, shop: OrderFile, now: datetime) -> None:
    assert await open_demo_shop(orders, now) == shop
    loaded = await orders.records(shop.customers[0].id)
    assert set(loaded.all()) == set(records_of(shop, shop.customers[0].id).all())
    assert await orders.products() == tuple(sorted(shop.products, key=lambda p: p.sku))


async def test_a_start_undoes_what_was_done_before(orders: SqlOrders, now: datetime) -> None:
    await open_demo_shop(orders, now)
    stop = Action(name="stop_auto_renewal", target="SUB-1001", status="pending")
    assert (await orders.perform(CustomerId("C-1001"), stop, ActionId("k"))).status == "done"
    await open_demo_shop(orders, now)
    assert (await orders.show("SUB-1001"))["auto_renewal"] is True


async def test_another_day_begins_afresh(orders: SqlOrders, now: datetime) -> None:
    """The dates move, and with them the numbers: yesterday's shop would double everything."""
    await open_demo_shop(orders, now)
    bag = CustomerId("C-1002")
    refund = Action(
        name="request_refund", target=latest(await orders.records(bag)), status="pending", amount="219.00"
    )
    assert (await orders.perform(bag, refund, ActionId("k"))).status == "done"
    tomorrow = await open_demo_shop(orders, now + timedelta(days=1))
    for customer in tomorrow.customers:
        assert set((await orders.records(customer.id)).all()) == set(records_of(tomorrow, customer.id).all())


def latest(records: Records) -> str:
    return max(records.charges, key=lambda c: c.charged_at).charge_no


# screenshots


@pytest.fixture(scope="module", params=[CLOCKS[0]], ids=str)
def pictures(request: pytest.FixtureRequest) -> tuple[Screenshot, ...]:
    now: datetime = request.param
    return screenshots(demo_shop(now), now)


@pytest.mark.full
def test_pictures_are_phone_pages(pictures: tuple[Screenshot, ...]) -> None:
    assert len(pictures) >= 8
    assert len({picture.name for picture in pictures}) == len(pictures)
    for picture in pictures:
        image = Image.open(BytesIO(picture.data))
        image.load()
        assert (image.format, image.size) == ("PNG", (1080, 2340))
        assert len(image.getcolors(1 << 20) or ()) > 50, "there is something to see"


@pytest.mark.full
def test_pictures_belong_to_customers(pictures: tuple[Screenshot, ...]) -> None:
    known = {customer.id for customer in demo_shop(CLOCKS[0]).customers}
    assert {picture.customer for picture in pictures} <= known
    assert all(picture.question for picture in pictures)


@pytest.mark.full
def test_pictures_are_the_same_for_the_same_clock(pictures: tuple[Screenshot, ...]) -> None:
    assert screenshots(demo_shop(CLOCKS[0]), CLOCKS[0]) == pictures


@pytest.mark.full
def test_pictures_follow_the_clock(pictures: tuple[Screenshot, ...]) -> None:
    later = screenshots(demo_shop(CLOCKS[1]), CLOCKS[1])
    assert all(a.data != b.data for a, b in zip(pictures, later, strict=True))
