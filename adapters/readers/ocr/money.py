"""Amounts of money in a text: figures, sign and currency."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.lexicon import regex

# Written before or after the figure; the longest first, for the alternation takes the first that fits.
CURRENCIES = {
    "hk$": "HKD", "hkd": "HKD", "港币": "HKD", "港元": "HKD", "港纸": "HKD",
    "nt$": "TWD", "ntd": "TWD", "twd": "TWD", "新台币": "TWD", "台币": "TWD",
    "us$": "USD", "usd": "USD", "美元": "USD", "美金": "USD",
    "s$": "SGD", "sg$": "SGD", "sgd": "SGD", "新加坡元": "SGD", "新币": "SGD",
    "au$": "AUD", "a$": "AUD", "aud": "AUD", "澳元": "AUD", "澳币": "AUD",
    "ca$": "CAD", "c$": "CAD", "cad": "CAD", "加元": "CAD", "加币": "CAD",
    "nz$": "NZD", "nzd": "NZD", "mop$": "MOP", "mop": "MOP", "澳门元": "MOP", "澳门币": "MOP",
    "r$": "BRL", "brl": "BRL", "mx$": "MXN", "mxn": "MXN",
    "cn¥": "CNY", "rmb": "CNY", "cny": "CNY", "人民币": "CNY", "元": "CNY", "块": "CNY", "圆": "CNY",
    "jp¥": "JPY", "jpy": "JPY", "日元": "JPY", "日币": "JPY", "円": "JPY",
    "€": "EUR", "eur": "EUR", "欧元": "EUR", "£": "GBP", "gbp": "GBP", "英镑": "GBP",
    "₩": "KRW", "krw": "KRW", "韩元": "KRW", "韩币": "KRW", "₹": "INR", "inr": "INR",
    "฿": "THB", "thb": "THB", "泰铢": "THB", "rm": "MYR", "myr": "MYR", "₫": "VND", "vnd": "VND",
    "₱": "PHP", "php": "PHP", "rp": "IDR", "idr": "IDR", "chf": "CHF", "₽": "RUB", "rub": "RUB",
    "¥": "¥", "$": "$",
}  # fmt: skip
_ONLY_AFTER = ("元", "块", "圆", "円")
_WORDS = sorted(CURRENCIES, key=len, reverse=True)
_BEFORE = "|".join(re.escape(word) for word in _WORDS if word not in _ONLY_AFTER)
_AFTER = "|".join(re.escape(word) for word in _WORDS if word not in ("$", "rp", "rm"))
_FIGURE = r"\d{1,3}(?:[,，]\s?\d{3})+(?:\.\d{1,2})?|\d{1,3}(?:\.\d{3})+,\d{2}|\d+[.,]\d{1,2}(?!\d)|\d+"
_SIGN = r"[-+−–—]"
_MONEY = re.compile(
    rf"(?:(?<![a-z0-9.:/#*_-])|(?=[¥$€£])|(?=(?:hk|nt|us)\$))(?:(?P<sign>{_SIGN})\s?)?(?:(?P<before>{_BEFORE})\s{{0,3}})?(?P<inner>{_SIGN})?\s?"
    rf"(?P<figure>{_FIGURE})(?![\d:]|/\d|[.,]\d)(?:\s?(?P<after>{_AFTER})(?![a-z]|\s?\d))?",
)
_NOT_MONEY_AFTER = regex("money.not_money_after")
# A yen sign is a thin Y or a 半 to a reader in a hurry.
_MISREAD_YEN = re.compile(r"(?<![a-z0-9])[yv羊半](?=\s?\d[\d,]*\.\d{2}(?!\d))")


@dataclass(frozen=True, slots=True)
class Money:
    """``unit`` is ISO 4217, or the bare sign ``$`` or ``¥`` that the page has to settle, or None."""

    value: str
    unit: str | None
    sign: str
    start: int
    end: int

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.value)


def find_money(text: str, loose: bool = False) -> list[Money]:
    """Every amount in a text. A figure without currency counts if it has two decimals, or if ``loose``."""
    return list(_find(_MISREAD_YEN.sub("¥", fold(text)), loose))


def _find(key: str, loose: bool) -> Iterator[Money]:
    for match in _MONEY.finditer(key):
        before, after = match["before"], match["after"]
        unit = _unit(before, after)
        figure = _plain(match["figure"])
        if unit is None and not loose and not re.search(r"[.,]\d{2}$", match["figure"]):
            continue
        if unit is None and _NOT_MONEY_AFTER.match(key, match.end()):
            continue
        if unit is None and len(figure.partition(".")[0]) > 8:
            continue
        if after and key[match.end() :].startswith(("起", "/")) and after == "块":
            continue
        sign = match["sign"] or match["inner"] or ""
        yield Money(
            value=f"{Decimal(figure):.2f}",
            unit=unit,
            sign="+" if sign == "+" else "-" if sign else "",
            start=match.start(),
            end=match.end(),
        )


_STATED = re.compile(
    rf"[(\[【/](?:单位[:：]?)?(?P<unit>{'|'.join(re.escape(w) for w in _WORDS)})元?[)\]】]?$"
)


def stated_unit(text: str) -> str | None:
    """The currency that a label states for its figures: 金额(元), Total (USD)."""
    match = _STATED.search(fold(text).strip(" :"))
    return CURRENCIES[match["unit"]] if match else None


def _unit(before: str | None, after: str | None) -> str | None:
    first = CURRENCIES.get(before or "")
    last = CURRENCIES.get(after or "")
    if first in ("$", "¥") and last not in (None, "¥"):
        return last  # $9.99 USD, ¥880 円
    return first or last


def _plain(figure: str) -> str:
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d{2}|\d+,\d{1,2}", figure):
        return figure.replace(".", "").replace(",", ".")
    return re.sub(r"[,，\s]", "", figure)


_DOLLARS = (
    ("HKD", r"hk\$|hkd|港币|港元|香港|转数快|八达通|payme\b|fps\b|hong kong|九龙|新界|顺丰站"),
    ("TWD", r"nt\$|twd|ntd|台币|台湾|超商|统编|统一编号|宅配|虾皮|刷卡|载具|门市|货到付款|taiwan|line pay"),
    ("SGD", r"(?<![a-z])s\$|\bsgd|singapore|新加坡|paynow"),
    ("AUD", r"(?<![a-z])a\$|\baud\b|australia|gst\b|澳洲|澳大利亚"),
    ("CAD", r"(?<![a-z])ca?\$|\bcad\b|canada|hst\b|加拿大"),
    ("NZD", r"nz\$|\bnzd\b|new zealand"),
)  # fmt: skip


def page_currencies(key: str, traditional: bool) -> dict[str, str]:
    """What a bare ``$`` and a bare ``¥`` mean on a page, given all its text (folded)."""
    counts = {code: len(re.findall(pattern, key)) for code, pattern in _DOLLARS}
    best = max(counts, key=lambda code: counts[code])
    dollar = best if counts[best] and not re.search(r"us\$|usd", key) else "USD"
    if dollar == "USD" and traditional and not re.search(r"us\$|usd|美元|美金", key):
        dollar = "TWD"
    yen = "JPY" if re.search(r"jp¥|jpy|日元|円|日币|japan", key) else "CNY"
    return {"$": dollar, "¥": yen}
