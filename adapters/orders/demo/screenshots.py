"""Sample screenshots of the demo shop: phone pages of its records, for whoever has none at hand."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from adapters.orders.demo import pages_en, shop_zh, wallet_zh
from adapters.orders.demo.phone import Phone
from adapters.orders.file import OrderFile
from bot.domain.records import Records
from bot.domain.vocabulary import CustomerId


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to try the bot with, before it is drawn: as whom, and what to ask."""

    name: str
    customer: CustomerId
    question: str


@dataclass(frozen=True, slots=True)
class Screenshot(Sample):
    """The same, drawn: a PNG."""

    data: bytes


_Page = Callable[[Records, datetime], Phone]

_PAGES: tuple[tuple[str, str, str, _Page], ...] = (
    ("renewal-bill", "C-1001", "这 88 块是什么钱？帮我把自动续费关了", wallet_zh.renewal_bill),
    ("subscription", "C-1001", "下次什么时候扣？我不想续了", shop_zh.subscription),
    ("order", "C-1001", "这个订单现在到哪一步了", shop_zh.order_detail),
    ("logistics", "C-1001", "快递到哪了，什么时候能到", shop_zh.logistics),
    ("paid-twice", "C-1002", "同一个包怎么扣了我两次钱", wallet_zh.bill_list),
    ("payment-success", "C-1003", "钱已经付了，什么时候发货", wallet_zh.payment_result),
    ("refund", "C-1003", "退款怎么还没到账", shop_zh.refund),
    ("payment-failure", "C-1007", "一直付不了款怎么办", wallet_zh.payment_failure),
    ("bill-en", "C-1005", "What is this charge? Please stop the renewal.", pages_en.renewal_bill),
    ("order-en", "C-1005", "When will my order arrive?", pages_en.order_detail),
    ("bill-hk", "C-1006", "這筆 78 元是甚麼？我想取消自動續費", wallet_zh.renewal_bill_hant),
)


SAMPLES = tuple(Sample(f"{name}.png", CustomerId(customer), ask) for name, customer, ask, _ in _PAGES)


def screenshots(
    shop: OrderFile, now: datetime, samples: Collection[Sample] = SAMPLES
) -> tuple[Screenshot, ...]:
    """The same pictures for the same shop and clock. Each takes about 0.1 s: call it in a thread."""
    pages = zip(SAMPLES, _PAGES, strict=True)
    return tuple(
        Screenshot(
            name=sample.name,
            customer=sample.customer,
            question=sample.question,
            data=page(records_of(shop, sample.customer), now).png(),
        )
        for sample, (*_, page) in pages
        if sample in samples
    )


def records_of(shop: OrderFile, customer: str) -> Records:
    """One customer's part of the file."""
    charges = tuple(c for c in shop.charges if c.customer == customer)
    orders = tuple(o for o in shop.orders if o.customer == customer)
    return Records(
        customer=next(c for c in shop.customers if c.id == customer),
        orders=orders,
        subscriptions=tuple(s for s in shop.subscriptions if s.customer == customer),
        charges=charges,
        refunds=tuple(r for r in shop.refunds if r.charge_no in {c.charge_no for c in charges}),
        invoices=tuple(i for i in shop.invoices if i.order_no in {o.order_no for o in orders}),
        coupons=tuple(c for c in shop.coupons if c.customer == customer),
    )
