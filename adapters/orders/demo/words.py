"""What the pages of the demo shop call things."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime

from bot.domain.records import Charge, Money

SHOP_ZH, SHOP_HANT, SHOP_EN = "拾光优选", "拾光優選", "Shiguang Select"
COMPANY_ZH = "上海拾光优选电子商务有限公司"

METHODS_ZH = {"alipay": "支付宝", "wechat": "微信支付", "card": "银行卡"}
METHODS_HANT = {"alipay_hk": "AlipayHK", "payme": "PayMe"}
METHODS_EN = {"card": "Visa ending in 4242", "paypal": "PayPal", "alipay": "Alipay"}

PERIODS_ZH = {"week": "周", "month": "月", "quarter": "季", "half_year": "半年", "year": "年"}

ORDERS_ZH = {
    "unpaid": "等待付款",
    "paid": "已付款",
    "to_ship": "待发货",
    "shipped": "已发货",
    "delivered": "已签收",
    "completed": "交易成功",
    "cancelled": "已取消",
    "refunding": "退款中",
    "refunded": "已退款",
    "closed": "交易关闭",
}
SHIPMENTS_ZH = {
    "collected": "已揽收",
    "in_transit": "运输中",
    "out_for_delivery": "派送中",
    "delivered": "已签收",
    "exception": "派送异常",
}
SHIPMENTS_EN = {
    "collected": "Picked up",
    "in_transit": "In transit",
    "out_for_delivery": "Out for delivery",
    "delivered": "Delivered",
    "exception": "Delivery exception",
}
ORDERS_EN = {"paid": "Paid", "to_ship": "Preparing", "shipped": "Shipped", "delivered": "Delivered"}
_SIGNS = {"CNY": "¥", "HKD": "HK$", "USD": "$"}


def price(money: Money) -> str:
    return f"{_SIGNS[money.currency]}{money.amount:,.2f}"


def method(charge: Charge, names: Mapping[str, str]) -> str:
    return names[charge.method or ""]


def transaction_no(charge: Charge) -> str:
    """The payment service's own number: 28 digits that begin with the day."""
    digits = str(int(hashlib.sha256(charge.charge_no.encode()).hexdigest(), 16))
    return f"{charge.charged_at:%Y%m%d}2200{digits[:16]}"


def transaction_id(charge: Charge) -> str:
    """The same as an English wallet has it: 17 letters and digits."""
    return hashlib.sha256(charge.charge_no.encode()).hexdigest()[:17].upper()


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def day_en(day: date) -> str:
    return f"{day:%b} {day.day}, {day.year}"


def stamp_en(at: datetime) -> str:
    return f"{day_en(at)}, {at.hour % 12 or 12}:{at:%M %p}"
