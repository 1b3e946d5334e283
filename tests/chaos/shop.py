"""The campaign's shop: customers without end, each with orders and a renewal of their own, and what they ask."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

ORDERS = 8
PLAN = "黄金会员连续包月"
PROPOSED = "需要我现在帮您关闭吗"
DONE = f"已经为您关闭「{PLAN}」"

ASKED = ("订单 {order} 到哪了", "帮我查一下订单 {order} 的物流", "{order} 的包裹到哪里了")
GREETINGS = ("你好", "在吗", "您好")


def order_of(customer: int, nth: int) -> str:
    return f"A{customer:06d}{nth}"


def name_of(customer: int) -> str:
    return f"c{customer}"


def subscription_of(customer: int) -> str:
    return f"S{customer:06d}"


def records(customers: Iterable[int]) -> dict[str, Any]:
    """The order file of some customers."""
    numbers = list(customers)
    return {
        "customers": [{"id": name_of(n), "identities": {}} for n in numbers],
        "orders": [_order(n, nth) for n in numbers for nth in range(ORDERS)],
        "subscriptions": [_subscription(n) for n in numbers],
    }


def _order(customer: int, nth: int) -> dict[str, Any]:
    number = order_of(customer, nth)
    return {
        "order_no": number,
        "customer": name_of(customer),
        "status": "shipped",
        "currency": "CNY",
        "total": "29.00",
        "ordered_at": "2025-11-20T08:30:00",
        "items": [{"title": "帆布袋", "quantity": 1, "price": "29.00"}],
        "shipment": {
            "carrier": "顺丰速运",
            "tracking_no": f"SF{number[1:]}",
            "status": "in_transit",
            "delivered_at": None,
            "events": [{"at": "2025-11-21T10:00:00", "text": "快件已到达上海转运中心"}],
        },
    }


def _subscription(customer: int) -> dict[str, Any]:
    return {
        "id": subscription_of(customer),
        "customer": name_of(customer),
        "plan": PLAN,
        "period": "month",
        "price": "88.00",
        "currency": "CNY",
        "auto_renewal": True,
        "next_charge_at": "2026-12-20",
        "managed_by": "shop",
    }


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a customer says, in one message or, with ``before``, as the end of a burst.

    ``answer`` is what its answer alone says. ``shows`` is the order on a picture that comes with it. Where the
    bot asks ``again`` instead, as it may after a while, the customer says it again.
    """

    text: str
    answer: str
    before: tuple[str, ...] = ()
    shows: str | None = None
    again: str | None = None

    def is_answered(self, text: str) -> bool:
        return self.answer in text

    def is_asked_again(self, text: str) -> bool:
        return self.again is not None and self.again in text


def talk(customer: int, random: Random) -> list[Step]:
    """What a customer has to ask: each order once, so that each answer has one question."""
    steps: list[Step] = []
    for nth in range(random.randint(2, 4)):
        steps += [_about(order_of(customer, nth), random)]
    if random.random() < 0.5:
        at = random.randint(0, len(steps))
        steps[at:at] = _renewal()
    return steps


def _about(order: str, random: Random) -> Step:
    chance = random.random()
    if chance < 0.12:
        return Step("这个订单到哪了", order, shows=order)
    text = random.choice(ASKED).format(order=order)
    if chance < 0.3:
        return Step(text, order, before=tuple(random.choices(GREETINGS, k=random.randint(1, 2))))
    return Step(text, order)


def _renewal() -> list[Step]:
    return [
        Step(f"帮我关掉{PLAN}的自动续费", PROPOSED),
        Step("好的", DONE, again=PROPOSED),
    ]
