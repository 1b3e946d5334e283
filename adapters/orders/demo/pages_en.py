"""The demo's English pages."""

from datetime import datetime

from adapters.orders.demo import phone as p
from adapters.orders.demo import words as w
from adapters.orders.demo.phone import Phone, open_page
from bot.domain.records import Money, Records

_LEFT = p.MARGIN + p.PADDING
_RIGHT = p.WIDTH - _LEFT
_INDIGO = "#4f46e5"


def renewal_bill(records: Records, now: datetime) -> Phone:
    """A wallet's transaction: the latest charge of the first subscription."""
    subscription = records.subscriptions[0]
    charge = records.charges_of(subscription)[0]
    page = open_page(now, "Transaction details")
    top = page.y
    page.card(484)
    page.bag(p.WIDTH // 2 - 60, top + 48, 120, _INDIGO)
    page.text((p.WIDTH // 2, top + 214), w.SHOP_EN, p.BODY, p.INK, "mm")
    page.text((p.WIDTH // 2, top + 318), f"-{w.price(charge.money)}", p.HUGE, p.INK, "mm", bold=True)
    page.text((p.WIDTH // 2, top + 426), "Completed", p.BODY, p.GREY, "mm")
    page.y = top + 512
    page.rows(
        [
            ("Date", w.stamp_en(charge.charged_at)),
            ("Merchant", w.SHOP_EN),
            ("Description", charge.description or ""),
            ("Payment method", w.method(charge, w.METHODS_EN)),
            ("Transaction ID", w.transaction_id(charge)),
            ("Reference", charge.charge_no),
        ]
    )
    page.rows(
        [
            ("Plan", subscription.plan),
            ("Price", f"{w.price(subscription.money)} / month"),
            ("Next payment", w.day_en(subscription.next_charge_at) if subscription.next_charge_at else ""),
            ("Auto-renewal", "On" if subscription.auto_renewal else "Off"),
        ],
        heading="Subscription",
    )
    return page


def order_detail(records: Records, now: datetime) -> Phone:
    """An order of several things, on its way."""
    order = next(o for o in records.orders if o.status == "shipped")
    charge = next(c for c in records.charges if c.order_no == order.order_no)
    shipment = order.shipment
    assert shipment is not None
    page = open_page(now, "Order details", "Help")
    top = page.y
    page.card(236)
    page.text((_LEFT, top + 76), w.ORDERS_EN[order.status], p.LARGE - 6, _INDIGO, bold=True)
    page.text(
        (_LEFT, top + 160), f"{w.SHIPMENTS_EN[shipment.status]} with {shipment.carrier}", p.BODY, p.GREY
    )
    page.y = top + 264
    height = 140 + 208 * len(order.items) + 96 * 3
    bottom = page.y + height
    page.card(height)
    page.text((_LEFT, page.y + 62), "Items", 46, p.INK, bold=True)
    page.y += 116
    for item in order.items:
        page.thumbnail(_LEFT, page.y, 170, "#c5cbf2")
        y = page.y
        page.y += 4
        page.lines(_LEFT + 206, item.title, p.BODY, p.INK, 430)
        page.text((_LEFT + 206, page.y + 28), f"Qty {item.quantity}", p.SMALL, p.GREY)
        page.text((_RIGHT, y + 36), w.price(Money(item.price, order.currency)), p.BODY, p.INK, "rm")
        page.y = y + 208
    page.row("Subtotal", w.price(order.money))
    page.row("Shipping", "Free")
    page.row("Order total", w.price(order.money), bold=True)
    page.y = bottom + 28
    page.rows(
        [
            ("Order number", order.order_no),
            ("Order placed", w.stamp_en(order.ordered_at)),
            ("Payment", w.method(charge, w.METHODS_EN)),
            ("Carrier", shipment.carrier),
            ("Tracking number", shipment.tracking_no),
            ("Ship to", order.address or ""),
        ]
    )
    return page
