"""What every OrderSystem must do with the records of ``SHOP``, whatever stands behind it."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from bot.domain.errors import BadRequest
from bot.domain.message import Address
from bot.domain.ports import OrderSystem, Performed
from bot.domain.records import Records
from bot.domain.session import Action
from bot.domain.vocabulary import ActionId, CustomerId, OrderStatus

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=ZONE)
ANN, BEN = CustomerId("C-ANN"), CustomerId("C-BEN")


def _order(order_no: str, status: str, customer: str = ANN) -> dict[str, Any]:
    return {
        "order_no": order_no,
        "customer": customer,
        "status": status,
        "currency": "CNY",
        "total": "100.00",
        "ordered_at": "2026-02-20T08:30:00",
        "address": "旧地址 1 号",
        "items": [{"title": "T恤", "quantity": 2, "price": "50.00"}],
    }


def _subscription(id: str, managed_by: str = "shop", customer: str = ANN, on: bool = True) -> dict[str, Any]:
    return {
        "id": id,
        "customer": customer,
        "plan": "黄金会员",
        "period": "month",
        "price": "88.00",
        "currency": "CNY",
        "auto_renewal": on,
        "next_charge_at": "2026-03-20" if on else None,
        "managed_by": managed_by,
    }


def _charge(charge_no: str, customer: str = ANN, **of: str) -> dict[str, Any]:
    return {
        "charge_no": charge_no,
        "customer": customer,
        "amount": "100.00",
        "currency": "CNY",
        "charged_at": "2026-02-20T08:31:00",
        **of,
    }


STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)
SHOP: dict[str, Any] = {
    "customers": [
        {"id": ANN, "name": "Ann", "email": "ann@example.com", "identities": {"web": "ann-1", "wecom": "x"}},
        {"id": BEN, "name": "Ben", "identities": {"web": "x"}},
    ],
    "orders": [*(_order(f"O-{status}", status) for status in STATUSES), _order("O-ben", "to_ship", BEN)],
    "subscriptions": [
        _subscription("S-on"),
        _subscription("S-off", on=False),
        _subscription("S-apple", "app_store"),
        _subscription("S-ben", customer=BEN),
    ],
    "charges": [
        _charge("CH-paid", order_no="O-paid"),
        _charge("CH-renewal", subscription="S-on"),
        _charge("CH-ben", BEN, order_no="O-ben"),
    ],
    "refunds": [
        {
            "refund_no": "RF-old",
            "charge_no": "CH-renewal",
            "amount": "40.00",
            "status": "processing",
            "requested_at": "2026-02-21T09:00:00",
        },
        {
            "refund_no": "RF-no",
            "charge_no": "CH-renewal",
            "amount": "60.00",
            "status": "rejected",
            "requested_at": "2026-02-21T09:00:00",
        },
    ],
    "invoices": [
        {
            "invoice_no": "INV-1",
            "order_no": "O-completed",
            "title": "个人",
            "amount": "100.00",
            "status": "issued",
        }
    ],
    "coupons": [
        {
            "coupon_no": "CP-ben",
            "customer": BEN,
            "title": "满 100 减 10",
            "discount": "10.00",
            "min_spend": "100.00",
            "currency": "CNY",
            "status": "usable",
        }
    ],
}

DONE = Performed("done")
UNKNOWN = Performed("refused", "unknown")


def action(name: Any, target: str, **more: Any) -> Action:
    return Action(name=name, target=target, status="pending", **more)


def refund(amount: str | None, target: str = "CH-paid", unit: str | None = "CNY") -> Action:
    return action("request_refund", target, amount=amount, unit=unit)


def back(records: Records, charge_no: str) -> list[tuple[str, Decimal]]:
    return sorted((r.status, r.amount) for r in records.refunds if r.charge_no == charge_no)


class OrdersContract:
    """``orders`` holds the records of ``SHOP``; its clock says ``NOW``."""

    async def do(self, orders: OrderSystem, wanted: Action, key: str = "k1") -> Performed:
        return await orders.perform(ANN, wanted, ActionId(key))

    # whose records

    @pytest.mark.parametrize(
        ("channel", "user", "customer"),
        [
            ("web", "ann-1", ANN),
            ("wecom", "x", ANN),
            ("web", "x", BEN),
            ("wecom", "ann-1", None),
            ("web", "", None),
        ],
    )
    async def test_an_address_tells_the_customer(
        self, orders: OrderSystem, channel: str, user: str, customer: CustomerId | None
    ) -> None:
        assert await orders.customer(Address(channel=channel, account="shop", user=user)) == customer

    @pytest.mark.parametrize("nobody", [None, "C-none", "", "C-\0", "C-\ud800"])
    async def test_a_stranger_has_no_records(self, orders: OrderSystem, nobody: CustomerId | None) -> None:
        assert await orders.records(nobody) == Records()

    async def test_records_are_the_customers_own(self, orders: OrderSystem) -> None:
        ann, ben = await orders.records(ANN), await orders.records(BEN)
        assert ann.customer is not None
        assert ann.customer.identities == {"web": "ann-1", "wecom": "x"}
        assert {r.ref for r in ann.all()}.isdisjoint(r.ref for r in ben.all())
        assert [r.ref for r in ben.all()] == [
            "order O-ben",
            "subscription S-ben",
            "charge CH-ben",
            "coupon CP-ben",
        ]
        assert (len(ann.orders), len(ann.charges), len(ann.refunds), len(ann.invoices)) == (10, 2, 2, 1)

    async def test_times_are_in_the_shops_zone(self, orders: OrderSystem) -> None:
        order = (await orders.records(ANN)).order("O-paid")
        assert order is not None
        assert order.ordered_at.isoformat() == "2026-02-20T08:30:00+08:00"

    # once a key

    async def test_the_same_key_answers_the_first_result(self, orders: OrderSystem) -> None:
        assert await self.do(orders, refund("30.00")) == DONE
        assert await self.do(orders, refund("30.00")) == DONE
        assert back(await orders.records(ANN), "CH-paid") == [("requested", Decimal("30.00"))]

    async def test_a_refusal_stays_a_refusal(self, orders: OrderSystem) -> None:
        wanted = action("cancel_order", "O-shipped")
        first = await self.do(orders, wanted)
        assert first.status == "refused"
        assert await self.do(orders, wanted) == first

    async def test_at_once_it_is_done_once(self, orders: OrderSystem) -> None:
        results = await asyncio.gather(*(self.do(orders, refund("30.00")) for _ in range(6)))
        assert results == [DONE] * 6
        assert len(back(await orders.records(ANN), "CH-paid")) == 1

    @pytest.mark.parametrize(
        ("customer", "wanted"),
        [(ANN, refund("30.01")), (ANN, action("cancel_order", "O-paid")), (BEN, refund("30.00"))],
    )
    async def test_a_key_is_for_one_action(
        self, orders: OrderSystem, customer: CustomerId, wanted: Action
    ) -> None:
        await self.do(orders, refund("30.00"))
        with pytest.raises(BadRequest):
            await orders.perform(customer, wanted, ActionId("k1"))

    # nobody else's

    @pytest.mark.parametrize("target", ["theirs", "nothing", "\0"])
    @pytest.mark.parametrize(
        ("wanted", "theirs"),
        [
            (action("stop_auto_renewal", ""), "S-ben"),
            (refund("1.00"), "CH-ben"),
            (action("cancel_order", ""), "O-ben"),
            (action("change_address", "", address="新地址"), "O-ben"),
            (action("open_return", ""), "O-ben"),
            (action("send_invoice", "", email="a@b.cn"), "O-ben"),
        ],
        ids=lambda value: value.name if isinstance(value, Action) else value,
    )
    async def test_somebody_elses_is_unknown(
        self, orders: OrderSystem, wanted: Action, theirs: str, target: str
    ) -> None:
        before = await orders.records(BEN)
        named = wanted.model_copy(update={"target": theirs if target == "theirs" else target})
        assert await self.do(orders, named) == UNKNOWN
        assert await orders.records(BEN) == before

    # stop_auto_renewal

    async def test_a_renewal_is_stopped(self, orders: OrderSystem) -> None:
        assert await self.do(orders, action("stop_auto_renewal", "S-on")) == DONE
        stopped = (await orders.records(ANN)).subscription("S-on")
        assert stopped is not None
        assert (stopped.auto_renewal, stopped.next_charge_at) == (False, None)
        assert await self.do(orders, action("stop_auto_renewal", "S-on"), "k2") == DONE

    @pytest.mark.parametrize(("id", "result"), [("S-off", "done"), ("S-apple", "refused")])
    async def test_what_is_off_or_not_ours_stays(self, orders: OrderSystem, id: str, result: str) -> None:
        before = await orders.records(ANN)
        assert (await self.do(orders, action("stop_auto_renewal", id))).status == result
        assert await orders.records(ANN) == before

    # request_refund

    async def test_a_refund_is_requested(self, orders: OrderSystem) -> None:
        assert await self.do(orders, refund("100.00")) == DONE
        records = await orders.records(ANN)
        new = next(r for r in records.refunds if r.charge_no == "CH-paid")
        assert (new.status, new.amount, new.requested_at) == ("requested", Decimal("100.00"), NOW)

    @pytest.mark.parametrize(
        "wanted",
        [
            refund("100.01"),
            refund("10.00", unit="USD"),
            refund("0.00"),
            refund("-1.00"),
            refund("1.001"),
            refund("NaN"),
            refund("1e999999999"),
            refund("all"),
            refund(None),
            refund("60.01", "CH-renewal"),
        ],
        ids=lambda wanted: f"{wanted.amount}-{wanted.unit}",
    )
    async def test_no_refund_of_anything_else(self, orders: OrderSystem, wanted: Action) -> None:
        before = await orders.records(ANN)
        assert (await self.do(orders, wanted)).status == "refused"
        assert await orders.records(ANN) == before

    async def test_a_rejected_refund_leaves_its_part(self, orders: OrderSystem) -> None:
        assert await self.do(orders, refund("60.00", "CH-renewal")) == DONE
        assert (await self.do(orders, refund("0.01", "CH-renewal"), "k2")).status == "refused"

    async def test_at_once_no_more_goes_back_than_came(self, orders: OrderSystem) -> None:
        results = await asyncio.gather(*(self.do(orders, refund("40.00"), f"k{n}") for n in range(6)))
        assert sorted(r.status for r in results) == ["done"] * 2 + ["refused"] * 4

    # cancel_order, open_return, change_address

    @pytest.mark.parametrize("status", STATUSES)
    async def test_what_is_not_shipped_can_be_cancelled(self, orders: OrderSystem, status: str) -> None:
        result = await self.do(orders, action("cancel_order", f"O-{status}"))
        records = await orders.records(ANN)
        order = records.order(f"O-{status}")
        assert order is not None
        cancelled = status in ("unpaid", "paid", "to_ship", "cancelled")
        assert (result.status, order.status) == (("done", "cancelled") if cancelled else ("refused", status))
        assert len(records.refunds) == (3 if status == "paid" else 2)

    async def test_cancelling_gives_back_what_is_left(self, orders: OrderSystem) -> None:
        await self.do(orders, refund("30.00"))
        assert await self.do(orders, action("cancel_order", "O-paid"), "k2") == DONE
        assert back(await orders.records(ANN), "CH-paid") == [
            ("requested", Decimal("30.00")),
            ("requested", Decimal("70.00")),
        ]

    @pytest.mark.parametrize("status", STATUSES)
    async def test_what_is_there_can_go_back(self, orders: OrderSystem, status: str) -> None:
        result = await self.do(orders, action("open_return", f"O-{status}"))
        order = (await orders.records(ANN)).order(f"O-{status}")
        assert order is not None
        here = status in ("delivered", "completed")
        assert (result.status, order.status) == (("done", "refunding") if here else ("refused", status))

    @pytest.mark.parametrize("status", STATUSES)
    async def test_the_address_changes_before_shipping(self, orders: OrderSystem, status: str) -> None:
        result = await self.do(orders, action("change_address", f"O-{status}", address=" 新地址 2 号 "))
        order = (await orders.records(ANN)).order(f"O-{status}")
        assert order is not None
        early = status in ("unpaid", "paid", "to_ship")
        assert (result.status, order.address) == (
            ("done", "新地址 2 号") if early else ("refused", "旧地址 1 号")
        )

    @pytest.mark.parametrize("address", [None, "", "  "])
    async def test_an_address_is_needed(self, orders: OrderSystem, address: str | None) -> None:
        wanted = action("change_address", "O-paid", address=address)
        assert (await self.do(orders, wanted)).status == "refused"

    # send_invoice

    async def test_an_invoice_is_issued(self, orders: OrderSystem) -> None:
        assert await self.do(orders, action("send_invoice", "O-paid", email="a@b.cn")) == DONE
        invoice = next(i for i in (await orders.records(ANN)).invoices if i.order_no == "O-paid")
        assert (invoice.amount, invoice.status, invoice.email, invoice.issued_at) == (
            Decimal("100.00"),
            "sent",
            "a@b.cn",
            NOW,
        )

    async def test_an_invoice_is_sent_again(self, orders: OrderSystem) -> None:
        assert await self.do(orders, action("send_invoice", "O-completed", email="a@b.cn")) == DONE
        invoices = (await orders.records(ANN)).invoices
        assert [(i.invoice_no, i.email, i.status) for i in invoices] == [("INV-1", "a@b.cn", "sent")]

    @pytest.mark.parametrize(
        ("order_no", "email"),
        [("O-paid", None), ("O-paid", "nobody"), ("O-unpaid", "a@b.cn"), ("O-cancelled", "a@b.cn")],
    )
    async def test_no_invoice_to_nowhere_or_for_nothing(
        self, orders: OrderSystem, order_no: str, email: str | None
    ) -> None:
        result = await self.do(orders, action("send_invoice", order_no, email=email))
        assert result.status == "refused"
        assert len((await orders.records(ANN)).invoices) == 1
