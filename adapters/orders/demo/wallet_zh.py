"""The demo's pages of a payment app, in Chinese."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from adapters.orders.demo import phone as p
from adapters.orders.demo import words as w
from adapters.orders.demo.phone import Phone, open_page
from bot.domain.records import Charge, Records

_LEFT = p.MARGIN + p.PADDING
_RIGHT = p.WIDTH - _LEFT


def renewal_bill(records: Records, now: datetime) -> Phone:
    """A bill of the payment app: the latest charge of the first subscription."""
    subscription = records.subscriptions[0]
    charge = records.charges_of(subscription)[0]
    page = open_page(now, "账单详情", "全部账单")
    _amount_card(page, w.SHOP_ZH, f"-{charge.money}", "交易成功", p.BLUE)
    page.rows(
        [
            ("支付时间", w.stamp(charge.charged_at)),
            ("支付方式", w.method(charge, w.METHODS_ZH)),
            ("商品说明", charge.description or ""),
            ("收款方全称", w.COMPANY_ZH),
            ("交易单号", w.transaction_no(charge)),
            ("商户单号", charge.charge_no),
        ]
    )
    _links(
        page,
        [
            ("扣费服务", subscription.plan),
            ("账单分类", "文化休闲"),
            ("联系收款方", ""),
            ("对此账单有疑问", ""),
        ],
    )
    return page


def renewal_bill_hant(records: Records, now: datetime) -> Phone:
    """The same of a Hong Kong wallet, in traditional characters."""
    subscription = records.subscriptions[0]
    charge = records.charges_of(subscription)[0]
    page = open_page(now, "交易詳情")
    _amount_card(page, w.SHOP_HANT, f"-{w.price(charge.money)}", "付款成功", p.RED)
    page.rows(
        [
            ("付款時間", w.stamp(charge.charged_at)),
            ("付款方式", w.method(charge, w.METHODS_HANT)),
            ("商品說明", charge.description or ""),
            ("商戶名稱", w.SHOP_HANT),
            ("交易編號", w.transaction_no(charge)),
            ("商戶單號", charge.charge_no),
        ]
    )
    next_day = f"{subscription.next_charge_at:%Y-%m-%d}"
    page.rows([("自動轉賬計劃", subscription.plan), ("下次扣款日期", next_day)], heading="自動續費")
    return page


def bill_list(records: Records, now: datetime) -> Phone:
    """The wallet's bills, a month a heading: the order that was paid twice is at the top."""
    page = open_page(now, "我的账单", "统计")
    charges = sorted(records.charges, key=lambda c: c.charged_at, reverse=True)
    for month, group in groupby(charges, key=lambda c: f"{c.charged_at:%Y年%-m月}"):
        of_month = list(group)
        page.text((_LEFT, page.y + 44), month, 48, bold=True)
        spent = sum(c.amount for c in of_month)
        page.text((_LEFT, page.y + 108), f"支出 ¥{spent:.2f}", p.SMALL, p.GREY)
        page.y += 160
        for charge in of_month:
            _bill_line(page, charge)
    return page


def payment_result(records: Records, now: datetime) -> Phone:
    """A payment that went through."""
    order = next(o for o in records.orders if o.status == "paid")
    charge = next(c for c in records.charges if c.order_no == order.order_no)
    page = _result_page(now, "支付成功", w.price(charge.money), p.GREEN, succeeded=True)
    page.rows(
        [
            ("收款方", w.SHOP_ZH),
            ("商品", charge.description or ""),
            ("支付方式", w.method(charge, w.METHODS_ZH)),
            ("支付时间", w.stamp(charge.charged_at)),
            ("订单编号", order.order_no),
            ("交易单号", w.transaction_no(charge)),
        ]
    )
    page.y += 60
    page.button((240, page.y, 840, page.y + 120), "完成", p.GREEN)
    page.home_bar()
    return page


def payment_failure(records: Records, now: datetime) -> Phone:
    """A payment that did not."""
    order = next(o for o in records.orders if o.status == "unpaid")
    page = _result_page(now, "支付失败", w.price(order.money), p.RED, succeeded=False)
    page.text(
        (p.WIDTH // 2, page.y + 6),
        "银行卡余额不足，请更换支付方式（错误码 BAL-2003）",
        p.SMALL,
        p.GREY,
        "mm",
    )
    page.y += 72
    page.rows(
        [
            ("商品", order.items[0].title),
            ("订单编号", order.order_no),
            ("下单时间", w.stamp(order.ordered_at)),
            ("支付方式", "银行卡"),
        ]
    )
    page.y += 60
    page.button((120, page.y, 520, page.y + 120), "查看订单", "", p.INK)
    page.button((560, page.y, 960, page.y + 120), "重新支付", p.RED)
    page.home_bar()
    return page


def _amount_card(page: Phone, who: str, amount: str, state: str, fill: str) -> None:
    top = page.y
    page.card(484)
    page.bag(p.WIDTH // 2 - 60, top + 48, 120, fill)
    page.text((p.WIDTH // 2, top + 214), who, p.BODY, p.INK, "mm")
    page.text((p.WIDTH // 2, top + 318), amount, p.HUGE, p.INK, "mm", bold=True)
    page.text((p.WIDTH // 2, top + 426), state, p.BODY, p.GREY, "mm")
    page.y = top + 512


def _links(page: Phone, pairs: Sequence[tuple[str, str]]) -> None:
    """Rows that lead somewhere."""
    bottom = page.y + 112 * len(pairs) + 16
    page.card(112 * len(pairs) + 16)
    page.y += 16
    for label, value in pairs:
        page.row(label, value, link=True)
        page.y += 16
    page.y = bottom + 28


def _bill_line(page: Phone, charge: Charge) -> None:
    top = page.y
    page.card(196)
    page.bag(_LEFT, top + 46, 104, p.ORANGE if charge.order_no else p.BLUE)
    page.text((_LEFT + 140, top + 64), f"{w.SHOP_ZH}-{charge.description}", p.BODY)
    page.text((_LEFT + 140, top + 130), f"{charge.charged_at:%-m月%-d日 %H:%M}", p.SMALL, p.GREY)
    page.text((_RIGHT, top + 64), f"-{charge.money}", 48, p.INK, "rm", bold=True)
    page.text((_RIGHT, top + 130), w.method(charge, w.METHODS_ZH), p.TINY, p.GREY, "rm")
    page.y = top + 220


def _result_page(now: datetime, state: str, amount: str, fill: str, *, succeeded: bool) -> Phone:
    page = open_page(now, "支付结果")
    middle = p.WIDTH // 2
    page.disc(middle - 90, page.y + 50, 180, fill)
    mark = p.paint_check if succeeded else p.paint_cross
    inset = 44 if succeeded else 58
    page.shape(
        (middle - 90 + inset, page.y + 50 + inset, middle + 90 - inset, page.y + 230 - inset), mark, p.WHITE
    )
    page.text((middle, page.y + 300), state, p.TITLE, fill, "mm", bold=True)
    page.text((middle, page.y + 412), amount, p.HUGE, p.INK, "mm", bold=True)
    page.y += 520
    return page
