"""Rows of sums that no label list knows: how somebody paid, what was taken off, what is no price."""

import re
from collections.abc import Iterator
from itertools import pairwise

from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.items import price_of
from adapters.readers.ocr.lexicon import regex
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.money import Money, find_money
from bot.domain.vocabulary import Page

# Dots that stand for a card's hidden digits are read as anything from one dot to an ellipsis.
_DOTS = re.compile(r"(?<=[A-Za-z)])[.·•・∙\s]*(?:…|[.·•・∙]\s?[.·•・∙])[.·•・∙…\s]*(?=\d{4}(?!\d))")
_CARD = re.compile(r"卡\s?[(（\[]?\s?[*•.\d]{4}|信用卡|储蓄卡|借记卡|visa|master|amex")
_ACCOUNT = re.compile(
    r"[•…*.·]\s?\d{3,4}\b|\b(?:visa|mastercard|amex|checking|savings|paypal|debit|credit)\b"
)
_BETTER_OFF = regex("tenders.better_off")
_NO_PRICE = regex("tenders.no_price")
_BACK = re.compile(r"退|refund|return")
_BACK_TO = re.compile(
    r"^(?:已?退回|退至|退到|返还至|原路退回)[:：]?(?=.*(?:零[钱錢]|余额宝|[银銀]行|卡|支付[宝寶]|[钱錢]包|Visa|Master|PayPal))"
)
_SUMMED: frozenset[Page] = frozenset({"order_detail", "order_list", "receipt", "payment_result"})
"""Pages that add up what is paid: what is subtracted there is a discount."""
_TENDER = regex("tenders.tender")
"""How somebody paid: on a receipt it names the row of what was paid."""
_ONLINE = re.compile(r"(?:在线|线上|网上)")


def with_dots(text: str) -> str:
    """A means of payment, with its card's hidden figures as four dots."""
    return _DOTS.sub(" •••• ", text)


def is_means_of_payment(line: Line) -> bool:
    return bool(_TENDER.match(line.key) or _CARD.search(line.key))


def is_account(line: Line) -> bool:
    return bool(_ACCOUNT.search(line.key))


def claims_by_words(row: list[Line], page: Page, locale: Locale, taken: Taken) -> Iterator[Claim]:
    """A row whose name is no known label: its words may still say what its amount is."""
    for name, value in pairwise(row):
        found = find_money(value.text)
        if (
            len(found) == 1
            and price_of(value)
            and value not in taken
            and name not in taken
            and len(name.text) <= 36
        ):
            if page in _SUMMED and found[0].sign == "-" and not _BACK.search(name.key):
                taken.add(value)
                part = value.part(found[0].start, found[0].end)
                if found[0].decimal > 0:
                    yield Claim("discount", found[0].value, part, 0.8, locale.unit(found[0]))
                continue
            yield from _named_by_words(name, value, found[0], locale, taken)


def _named_by_words(name: Line, value: Line, money: Money, locale: Locale, taken: Taken) -> Iterator[Claim]:
    if way := _BACK_TO.match(name.text):
        taken.add(name)
        place = name.part(way.end(), len(name.text))
        yield Claim("payment_method", place.text.strip(), place, 0.75)
    elif _TENDER.match(name.key) and money.sign != "-":
        taken.add(name, value)
        yield Claim("amount", money.value, value.part(money.start, money.end), 0.66, locale.unit(money))
        if not _ONLINE.match(name.key):
            yield Claim("payment_method", with_dots(name.text.strip()), name, 0.7)
    elif _BETTER_OFF.search(name.key) and (money.sign == "-" or not _NO_PRICE.search(name.key)):
        if money.decimal > 0 and (money.sign == "-" or len(name.text) <= 10):
            taken.add(value)
            yield Claim("discount", money.value, value.part(money.start, money.end), 0.8, locale.unit(money))
    elif _NO_PRICE.search(name.key) and len(name.text) <= 24:
        taken.add(value)
