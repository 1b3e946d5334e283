"""The demo's pages of the shop's own app, in Chinese."""

from datetime import datetime

from adapters.orders.demo import phone as p
from adapters.orders.demo import words as w
from adapters.orders.demo.phone import Phone, open_page
from bot.domain.records import Money, Order, Records

_LEFT = p.MARGIN + p.PADDING
_RIGHT = p.WIDTH - _LEFT
_RENEWAL_NOTE = (
    "到期前 24 小时内自动扣费并延长会员有效期。如需取消，请在扣费前关闭自动续费；"
    "关闭后会员权益可使用至到期日。"
)


def subscription(records: Records, now: datetime) -> Phone:
    """The page that manages the renewal."""
    mine = records.subscriptions[0]
    page = Phone()
    page.fade((0, 0, p.WIDTH, 760), "#fbe3b0", p.GROUND)
    page.status_bar(f"{now:%H:%M}")
    page.title_bar("自动续费管理", "规则说明")
    page.y += 20
    top = page.y
    page.card(300, "#3b2a14")
    page.text((_LEFT, top + 92), mine.plan, p.LARGE - 6, "#f8dba4", bold=True)
    page.text((_LEFT, top + 182), f"{w.price(mine.money)}/{w.PERIODS_ZH[mine.period]}", p.BODY, "#f8dba4")
    page.text((_LEFT, top + 242), "全场 95 折 · 免邮券 · 专属客服", p.SMALL, "#c9ac7c")
    page.text((_RIGHT, top + 92), "已开通", p.SMALL, "#f8dba4", "rm")
    page.y = top + 328
    charges = records.charges_of(mine)
    page.rows(
        [
            ("续费价格", f"{w.price(mine.money)}/{w.PERIODS_ZH[mine.period]}"),
            ("下次扣费时间", f"{mine.next_charge_at:%Y-%m-%d}"),
            ("扣费方式", w.method(charges[0], w.METHODS_ZH)),
        ],
        heading="续费信息",
    )
    top = page.y
    page.card(150)
    page.text((_LEFT, top + 75), "自动续费", p.BODY)
    page.text((_RIGHT - 140, top + 75), "已开启", p.SMALL, p.GREY, "rm")
    page.toggle(_RIGHT, top + 75, on=mine.auto_renewal, fill=p.GREEN)
    page.y = top + 180
    page.lines(_LEFT, _RENEWAL_NOTE, p.SMALL, p.GREY, _RIGHT - _LEFT)
    page.y += 36
    page.rows([(w.stamp(c.charged_at), f"-{w.price(c.money)}") for c in charges], heading="扣费记录")
    page.home_bar()
    return page


def order_detail(records: Records, now: datetime) -> Phone:
    """An order on its way."""
    order = next(o for o in records.orders if o.status == "shipped")
    charge = next(c for c in records.charges if c.order_no == order.order_no)
    page = Phone()
    page.fade((0, 0, p.WIDTH, 760), "#ff6420", p.GROUND)
    page.status_bar(f"{now:%H:%M}", p.WHITE)
    page.title_bar("订单详情", fill=p.WHITE)
    page.text((_LEFT, page.y + 54), w.ORDERS_ZH[order.status], p.LARGE, p.WHITE, bold=True)
    page.text((_LEFT, page.y + 124), "包裹正在路上，请耐心等待", p.SMALL, p.WHITE)
    page.y += 184
    _address_card(page, records, order)
    _items_card(page, order)
    page.rows(
        [
            ("订单编号", order.order_no),
            ("下单时间", w.stamp(order.ordered_at)),
            ("支付方式", w.method(charge, w.METHODS_ZH)),
            ("付款时间", w.stamp(charge.charged_at)),
            ("物流公司", order.shipment.carrier if order.shipment else ""),
        ],
        heading="订单信息",
    )
    page.bottom_bar([("确认收货", p.ORANGE), ("查看物流", ""), ("申请退款", "")])
    page.home_bar()
    return page


def logistics(records: Records, now: datetime) -> Phone:
    """Where the parcel of that order is."""
    order = next(o for o in records.orders if o.status == "shipped")
    shipment = order.shipment
    assert shipment is not None
    page = open_page(now, "物流详情", "客服")
    top = page.y
    page.card(258)
    page.thumbnail(_LEFT, top + 44, 170, "#a9c4e8")
    page.text((_LEFT + 206, top + 76), w.SHIPMENTS_ZH[shipment.status], p.TITLE, p.ORANGE, bold=True)
    page.text((_LEFT + 206, top + 138), f"{shipment.carrier} {shipment.tracking_no}", p.SMALL, p.INK)
    page.text((_LEFT + 206, top + 194), f"共 {sum(i.quantity for i in order.items)} 件商品", p.SMALL, p.GREY)
    page.text((_RIGHT, top + 138), "复制", p.SMALL, p.BLUE, "rm")
    page.y = top + 286
    steps = [(e.text, w.stamp(e.at)) for e in sorted(shipment.events, key=lambda e: e.at, reverse=True)]
    steps.append(
        ("商家已发货，等待快递公司揽收", w.stamp(shipment.events[0].at.replace(hour=11, minute=6, second=0)))
    )
    steps.append(("您的订单已提交", w.stamp(order.ordered_at)))
    page.card(sum(p.step_height(text) for text, _ in steps) + 60)
    page.y += 36
    page.timeline(steps, p.ORANGE)
    page.y += 56
    page.rows([("订单编号", order.order_no), ("收货地址", order.address or "")])
    page.home_bar()
    return page


def refund(records: Records, now: datetime) -> Phone:
    """A refund under way."""
    mine = next(r for r in records.refunds if r.status == "processing")
    charge = records.charge(mine.charge_no)
    order = records.order(charge.order_no if charge else None)
    assert charge is not None
    assert order is not None
    amount = w.price(Money(mine.amount, charge.currency))
    page = open_page(now, "退款详情", "联系商家")
    top = page.y
    page.card(310)
    page.text((_LEFT, top + 76), "退款处理中", p.LARGE - 6, p.ORANGE, bold=True)
    page.text(
        (_LEFT, top + 160),
        f"预计 {mine.expected_at:%Y-%m-%d} 前退回{w.method(charge, w.METHODS_ZH)}",
        p.SMALL,
        p.GREY,
    )
    page.text((_LEFT, top + 242), "退款金额", p.BODY)
    page.text((_RIGHT, top + 242), amount, p.TITLE, p.RED, "rm", bold=True)
    page.y = top + 338
    approved = mine.requested_at.replace(hour=14, minute=2, second=51)
    steps = [
        ("退款处理中，银行正在入账", ""),
        ("商家已同意退款", w.stamp(approved)),
        ("您已提交退款申请", w.stamp(mine.requested_at)),
    ]
    page.card(sum(p.step_height(text) for text, _ in steps) + 40)
    page.y += 36
    page.timeline(steps, p.ORANGE)
    page.y += 32
    _items_card(page, order, totals=False)
    page.rows(
        [
            ("退款编号", mine.refund_no),
            ("申请时间", w.stamp(mine.requested_at)),
            ("退款原因", "七天无理由退货"),
            ("订单编号", order.order_no),
        ],
        heading="退款信息",
    )
    page.home_bar()
    return page


def _address_card(page: Phone, records: Records, order: Order) -> None:
    person = records.customer
    assert person is not None
    lines = p.wrapped(order.address or "", p.SMALL, _RIGHT - _LEFT)
    bottom = page.y + 132 + 54 * len(lines)
    page.card(bottom - page.y)
    page.text((_LEFT, page.y + 62), f"{person.name}  {person.phone}", p.BODY, bold=True)
    page.y += 96
    page.lines(_LEFT, order.address or "", p.SMALL, p.GREY, _RIGHT - _LEFT)
    page.y = bottom + 28


def _items_card(page: Phone, order: Order, *, totals: bool = True) -> None:
    pairs = [
        ("商品总价", order.money),
        ("运费", Money(order.total * 0, order.currency)),
        ("实付款", order.money),
    ]
    height = 96 + 204 * len(order.items) + (96 * len(pairs) if totals else 0) + 24
    bottom = page.y + height
    page.card(height)
    page.text((_LEFT, page.y + 58), f"{w.SHOP_ZH}官方旗舰店", p.BODY, bold=True)
    page.y += 112
    for item in order.items:
        page.thumbnail(_LEFT, page.y, 170, "#f0c9a4")
        page.text((_LEFT + 206, page.y + 40), item.title, p.BODY)
        page.text((_LEFT + 206, page.y + 104), "七天无理由退货", p.TINY, p.ORANGE)
        page.text((_RIGHT, page.y + 40), w.price(Money(item.price, order.currency)), p.BODY, p.INK, "rm")
        page.text((_RIGHT, page.y + 104), f"×{item.quantity}", p.SMALL, p.GREY, "rm")
        page.y += 204
    for label, money in pairs if totals else ():
        last = label == "实付款"
        page.row(label, w.price(money), p.RED if last else p.INK, bold=last)
    page.y = bottom + 28
