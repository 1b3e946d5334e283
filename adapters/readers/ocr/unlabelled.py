"""What stands without a label: the headline amount, the merchant over it, the plan, the carrier."""

import re
from collections.abc import Iterator

from adapters.readers.ocr.carriers import carrier_by_its_page, carrier_claims
from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.items import PLAN_WORDS, is_name, price_of
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.letters import (
    brand_claims,
    issuer_claims,
    moment_claims,
    only_day_claims,
    signature_claims,
)
from adapters.readers.ocr.lexicon import regex, says_a_status, words
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import Money, find_money, stated_unit
from adapters.readers.ocr.statuses import is_status, is_tab_row
from bot.domain.vocabulary import FactName, Page

_HEADLINES: dict[Page, FactName] = {
    "charge_notice": "amount",
    "payment_result": "amount",
    "refund": "refund_amount",
    "subscription": "amount",
    "receipt": "amount",
}
_VISIT = regex("unlabelled.visit")
_SHOP = regex("unlabelled.shop")
_HEADING = regex("pages.title.charge_notice")
_RENEWS_ON = words("renewal")
_DATED = regex("renewal.dated")


def unlabelled_claims(sheet: Sheet, page: Page, locale: Locale, taken: Taken) -> Iterator[Claim]:
    headline = find_headline(sheet, taken) if page in _HEADLINES else None
    if headline:
        line, money = headline
        place = line.part(money.start, money.end)
        prominent = line.height > 1.3 * sheet.usual_height
        if page == "subscription" and not prominent:
            line, money = _price_of_the_renewal(sheet, taken) or headline
            place = line.part(money.start, money.end)
        unit = locale.unit(money) or _unit_above(sheet, line)
        yield Claim(_HEADLINES[page], money.value, place, 0.8 if prominent else 0.5, unit)
        if page in ("charge_notice", "payment_result") and not [*_paid_to(sheet), *_paid_below(sheet)]:
            yield from _around(sheet, line, page, locale, taken)
    if page in ("charge_notice", "receipt", "payment_result"):
        yield from brand_claims(sheet, taken)
    if page in ("charge_notice", "receipt", "payment_result", "refund", "order_detail"):
        yield from signature_claims(sheet, taken)
    if page in ("charge_notice", "payment_result") and headline is None:
        yield from _shop_at_head(sheet, taken)
    if page in ("charge_notice", "payment_result"):
        yield from _paid_to(sheet)
        yield from _paid_below(sheet)
    if page in ("subscription", "payment_result", "order_detail", "receipt", "charge_notice"):
        yield from _card_alone(sheet, taken)
    if page in ("order_detail", "order_list"):
        yield from shop_claims(sheet, taken)
    if page in ("logistics", "order_detail"):
        yield from carrier_claims(sheet, taken)
    if page == "logistics":
        yield from carrier_by_its_page(sheet, taken)
    if page in ("charge_notice", "payment_result", "receipt"):
        yield from moment_claims(sheet, locale, taken)
    if page == "order_list":
        yield from only_day_claims(sheet, locale, taken, "ordered_at")
    if page == "receipt":
        yield from only_day_claims(sheet, locale, taken, "charged_at")
    if page == "receipt":
        yield from issuer_claims(sheet, taken)
    if page == "subscription":
        yield from _plan(sheet, taken)


def find_headline(sheet: Sheet, taken: Taken) -> tuple[Line, Money] | None:
    """The amount that is printed larger than anything else, if there is one."""
    found = [
        (line, money)
        for line in sheet.lines
        if line not in taken and line.middle < 0.75 * sheet.height and (money := price_of(line))
    ]
    if not found:
        return None
    best = max(found, key=lambda pair: (round(pair[0].height / 4), -pair[0].top))
    beside = [line for line, _ in found if line is not best[0] and line.height > 0.85 * best[0].height]
    if any(abs(line.middle - best[0].middle) < line.height for line in beside):
        return None  # several prices side by side are offers to choose from
    return best


def _price_of_the_renewal(sheet: Sheet, taken: Taken) -> tuple[Line, Money] | None:
    """Where no price stands out among several plans': the one nearest to the day of the next charge."""
    renewals = [line for line in sheet.lines if _RENEWS_ON.search(line.key) and _DATED.search(line.key)]
    prices = [(line, money) for line in sheet.lines if line not in taken and (money := price_of(line))]
    if not renewals or not prices:
        return None
    return min(prices, key=lambda pair: min(abs(pair[0].middle - line.middle) for line in renewals))


def _unit_above(sheet: Sheet, headline: Line) -> str | None:
    """The currency that the line over an amount states: 合计(元)."""
    above = [line for line in sheet.lines if 0 <= headline.top - line.bottom < headline.height]
    return next((unit for line in above if (unit := stated_unit(line.text))), None)


def _around(sheet: Sheet, headline: Line, page: Page, locale: Locale, taken: Taken) -> Iterator[Claim]:
    """Whom the money went to stands over the headline, or under it; centred like it, or at its left."""
    centre = (headline.left + headline.right) / 2
    best: tuple[float, Line] | None = None
    for line in sheet.lines:
        if line is headline or not is_name(line, taken) or is_status(line, page) or locale.times(line.text):
            continue
        gap = headline.top - line.bottom if line.middle < headline.middle else line.top - headline.bottom
        aside = abs((line.left + line.right) / 2 - centre)
        if (
            gap > (2.6 if line.middle < headline.middle else 3.4) * headline.height
            or aside > 0.12 * sheet.width
            or line.top < 0.07 * sheet.height
        ):
            continue
        if (
            len(line.text) > 30
            or _PAID_TO.search(line.text)
            or re.search(
                r"[，。,!！?？]|[^.][a-z]{3}\.$(?<!ltd\.)(?<!inc\.)(?<!llc\.)|正在|请|赚取|積分|积分|获得|\d{3,}",
                line.text,
            )
            or find_money(line.text)
            or _HEADING.search(line.key)
            or line.height < 0.7 * sheet.usual_height
        ):
            continue
        distance = gap + (0.8 * headline.height if line.middle > headline.middle else 0.0)
        if best is None or distance < best[0]:
            best = distance, line
    if best:
        yield Claim("merchant", best[1].text.strip(), best[1], 0.78)
        return
    for line in sheet.lines:
        near = abs(headline.middle - line.middle) < 7 * headline.height and len(line.text) <= 24
        if near and line is not headline and is_name(line, taken) and _SHOP.search(line.key):
            yield Claim("merchant", line.text.strip(), line, 0.62)
            return


_NO_PLAN = regex("unlabelled.no_plan")
_SENTENCE = re.compile(r"[，。,；;:：!！?？【】]")
_CARD_LINE = regex("unlabelled.card_line")
_PAID_TO = regex("unlabelled.paid_to")


def _shop_at_head(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """A name that can only be a shop's, where the amount has a label and nothing else names it."""
    for line in sheet.lines:
        named = (
            _SHOP.search(line.key) and is_name(line, taken) and not re.search(r"[，。,:：¥$【】]", line.text)
        )
        if named and line.middle < 0.45 * sheet.height and len(line.text) <= 24 and not find_money(line.text):
            yield Claim("merchant", line.text.strip(), line, 0.6)
            return


def _paid_below(sheet: Sheet) -> Iterator[Claim]:
    """You paid | Somebody | $68.00, one under the other in large letters."""
    for index, line in enumerate(sheet.lines):
        if not _YOU_PAID.fullmatch(line.key.strip()):
            continue
        names: list[Line] = []
        for below in sheet.lines[index + 1 : index + 4]:
            if price_of(below) or below.height < 0.7 * line.height or sheet.is_label(below):
                break
            names.append(below)
        if names:
            whole = joined(names)
            yield Claim("merchant", whole.text.strip(), whole, 0.8)


_YOU_PAID = re.compile(r"you (?:paid|sent)|paid to|payment to|付款给|支付给|已付款给|收款方")


def _card_alone(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """A card's kind and its last figures, in a line of their own."""
    for line in sheet.lines:
        if line not in taken and _CARD_LINE.match(line.key):
            yield Claim("payment_method", line.text.strip(), line, 0.55)
            return


def _paid_to(sheet: Sheet) -> Iterator[Claim]:
    """You paid Somebody; 付款给某某."""
    for line in sheet.lines:
        if len(line.text) <= 48 and not find_money(line.text) and (match := _PAID_TO.search(line.text)):
            place = line.part(*match.span("it"))
            yield Claim("merchant", place.text.strip(), place, 0.8)


def shop_claims(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    for index, row in enumerate(sheet.rows):
        named = [line for line in row[:2] if is_name(line, taken) and len(line.text) <= 32]
        if is_tab_row(row) or not named:
            continue
        line = max(named, key=lambda line: len(line.text))
        text = _VISIT.sub("", line.text).rstrip(" >›〉》")
        arrow = len(text) < len(line.text.rstrip()) or any(
            re.fullmatch(r"[>›〉》]", other.text) for other in row[1:]
        )
        beside_status = len(row) > 1 and is_status(row[-1], "order_list") and index < 2
        if _SHOP.search(fold(text)) or beside_status or (arrow and len(text) >= 3):
            score = 0.7 if _SHOP.search(fold(text)) else 0.66 if beside_status else 0.45
            yield Claim("merchant", text.strip(), line.part(0, len(text)), score)


def _says_when_or_how_much(line: Line) -> bool:
    return bool(find_money(line.text) or re.search(r"\d\s?[./年月-]\s?\d", line.text))


def _plan(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    names = [
        line
        for line in sheet.lines
        if is_name(line, taken)
        and len(line.text) > 1
        and not _says_when_or_how_much(line)
        and not says_a_status(line.key)
    ]
    head = sheet.rows[0] if sheet.rows else []
    if len(head) >= 2 and says_a_status(head[-1].key) and any(line in names for line in head):
        name = max((line for line in head if line in names), key=lambda line: len(line.text))
        yield Claim("plan", name.text.strip(), name, 0.8)
        return
    titles = [line for line in names if not _SENTENCE.search(line.text)]
    if (
        len(sheet.lines) <= 8
        and not sheet.labels
        and names[:2] == titles[:2]
        and len(titles) >= 2
        and titles[0].left < 0.5 * sheet.width
    ):
        yield Claim("merchant", names[0].text.strip(), names[0], 0.6)
        yield Claim("plan", names[1].text.strip(), names[1], 0.6)
        return
    for line in sheet.lines:
        found = PLAN_WORDS.findall(line.key)
        if (
            not found
            or not is_name(line, taken)
            or not 3 <= len(line.text) <= 40
            or line.top < 0.08 * sheet.height
        ):
            continue
        if _NO_PLAN.search(line.key) or _says_when_or_how_much(line):
            continue
        size = min(1.5, line.height / max(1.0, sheet.usual_height))
        yield Claim(
            "plan",
            line.text.strip(),
            line,
            0.42 + 0.1 * min(3, len(found)) + 0.12 * size - 0.2 * line.middle / sheet.height,
        )
