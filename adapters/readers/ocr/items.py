"""Goods and their prices: what stands in rows without labels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import (
    is_furniture,
    label,
    label_at_end,
    label_at_start,
    regex,
    squeeze,
    words,
)
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.sentences import Passage, passages
from adapters.readers.ocr.statuses import status_in
from bot.domain.vocabulary import Page

_SPEC = regex("items.spec")
_ONLY_TIME = regex("items.only_time")
_GREETING = regex("items.greeting")
PLAN_WORDS = regex("items.plan_words")
_QUANTITY = re.compile(r"^(?:[x×✕*]\s?\d{1,3}|\d{1,3}\s?[x×✕]|(?:qty|quantity|数量)[:\s]*\d+)$")
_PER = regex("items.per")
_COUNT = regex("items.count")
_LETTER = re.compile(r"[\u4e00-\u9fff]|[a-z].*[a-z]")
_LABELLED = re.compile(r"^[\u4e00-\u9fff]{2,6}[:：]|^[a-z]{2,10}(?: [a-z#.]{1,10})?:\s?\S")


@dataclass(frozen=True, slots=True)
class Priced:
    """A product's title and the price beside it."""

    title: Line
    price: Line
    money: Money


def item_claims(sheet: Sheet, page: Page, locale: Locale, taken: Taken) -> Iterator[Claim]:
    """A product and an item_price for each item."""
    items = find_items(sheet, taken)
    yield from _shop_above(sheet, items, taken)
    for item in items:
        taken.add(item.title, item.price)
        if page == "receipt" and _is_tender(item.title):
            way = joined(_beside_price(sheet, item) or [item.title], " ")
            yield Claim("payment_method", way.text.strip(), way, 0.75)
            continue
        if page == "receipt" and PLAN_WORDS.search(item.title.key):
            yield Claim("plan", item.title.text.strip(), item.title, 0.8)
            continue
        name = _COUNT.sub("", item.title.text.strip())
        yield Claim("product", name, item.title.part(0, len(name)), 0.8)
        price = item.price.part(item.money.start, item.money.end)
        yield Claim("item_price", item.money.value, price, 0.8, locale.unit(item.money))


def _is_tender(title: Line) -> bool:
    """What one paid with, as a till prints it beside what was paid."""
    tender = words("tenders").match(title.key)
    return tender is not None and len(squeeze(title.key)) - tender.end() < 14


def _beside_price(sheet: Sheet, item: Priced) -> list[Line]:
    rows = [row for row in sheet.rows if item.price in row]
    return [line for row in rows for line in row[:-1] if line.left >= item.title.left]


def _shop_above(sheet: Sheet, items: list[Priced], taken: Taken) -> Iterator[Claim]:
    """The shop's name heads its goods: alone in a row, further left than a title beside its picture."""
    for item in items[:1]:
        above = [
            line
            for row in sheet.rows
            for line in row
            if line.bottom <= item.title.top + 4 and item.title.top - line.bottom < 3 * line.height
        ]
        heads = [line for line in above if line.left < item.title.left - line.height and is_name(line, taken)]
        if heads and len(heads[-1].text) <= 32 and heads[-1].height > 0.9 * item.title.height:
            name = heads[-1].text.rstrip(" >›〉》")
            yield Claim("merchant", name, heads[-1].part(0, len(name)), 0.6)


def find_items(sheet: Sheet, taken: Taken) -> list[Priced]:
    items: dict[int, Priced] = {}
    for index, row in enumerate(sheet.rows):
        for line in row:
            if (both := _title_and_price(line)) and line not in taken:
                items[id(line)] = both
                continue
            money = price_of(line)
            if money is None or line in taken or money.sign == "-":
                continue
            start = _title_start(sheet, index, line, taken)
            if start is None:
                continue
            title = whole_title(sheet, start)
            known = items.get(id(start))
            if (
                known is None
                or line.strength * line.height > known.price.strength * known.price.height * 1.05
            ):
                items[id(start)] = Priced(title, line, money)
    return list(items.values())


_SPOKEN = regex("items.spoken")


def _title_and_price(line: Line) -> Priced | None:
    """A title whose price stands so close that both were read as one line."""
    found = find_money(line.text)
    if len(found) != 1 or found[0].unit is None or found[0].end < len(line.text.rstrip()):
        return None
    title = line.part(0, found[0].start)
    plain = len(title.text) >= 6 and not _SPOKEN.search(title.key[-4:]) and label_at_end(title.key) is None
    if not plain or not is_name(title, Taken()):
        return None
    return Priced(title, line, found[0])


def price_of(line: Line) -> Money | None:
    """The amount of a line that is an amount and little else (¥49.00 x2, 26.8元/份)."""
    found = find_money(line.text)
    if len(found) != 1 or line.struck:
        return None
    rest = (line.key[: found[0].start] + line.key[found[0].end :]).strip(" /x×*1234567890份个件起約约")
    return found[0] if len(rest) <= 1 or _PER.match(rest) else None


def _title_start(sheet: Sheet, index: int, price: Line, taken: Taken) -> Line | None:
    same_row = [
        line
        for line in sheet.rows[index]
        if line.right <= price.left + line.height and line is not price and is_name(line, taken)
    ]
    if same_row:
        title = max(same_row, key=lambda line: len(line.text))
        return _first_of_wrapped(sheet, index, title, taken)
    if any(line.right <= price.left and sheet.is_label(line) for line in sheet.rows[index]):
        return None
    return _above(sheet, index, price, taken)


def _above(sheet: Sheet, index: int, price: Line, taken: Taken) -> Line | None:
    """The top of the block that ends with the price: title, options, price, one under the other."""
    block: list[Line] = []
    bottom, top_row = price.bottom, price.top
    for row in reversed(sheet.rows[max(0, index - 5) : index]):
        fitting = [line for line in row if line.left < price.right and line.middle < price.top]
        if (
            not fitting
            or any(price_of(line) for line in row)
            or any(_ends_block(sheet, line) for line in row)
        ):
            break
        first = fitting[0]
        if top_row - first.bottom > 1.3 * max(first.height, price.height) and block:
            break
        if block and abs(first.left - block[-1].left) > 0.8 * first.height:
            break
        if not block and top_row - first.bottom > 2.2 * price.height:
            break
        block.append(first)
        top_row = min(top_row, first.top)
    names = [line for line in block if is_name(line, taken)]
    if not names or bottom < names[-1].top:
        return None
    tallest = max(line.height * line.strength for line in names)
    strong = [line for line in names if line.height * line.strength > 0.8 * tallest]
    return strong[-1]


def _ends_block(sheet: Sheet, line: Line) -> bool:
    return sheet.is_label(line) and not _SPEC.match(line.key)


def title_claims(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """Goods without a price beside them: the longest name on a card."""
    names = [line for row in sheet.rows if len(row) < 3 for line in row]
    names = [line for line in names if is_name(line, taken) and len(line.text) >= 6]
    names = [line for line in names if not re.search(r"退款|退货|退回|入账|到账|refund|return", line.key)]
    names = [
        line for line in names if line.top > 0.1 * sheet.height and not re.search(r"[。.!！?？]$", line.text)
    ]
    prose = {id(line) for passage in passages(sheet.lines) if _is_prose(passage) for _, line in passage.lines}
    names = [line for line in names if id(line) not in prose]
    if names:
        title = whole_title(sheet, max(names, key=lambda line: len(line.text) * line.strength))
        yield Claim("product", title.text.strip(), title, 0.55)


def _is_prose(passage: Passage) -> bool:
    """Sentences, not a title that is wrapped."""
    return (
        len(passage.lines) > 1
        and len(passage.text) > 40
        and len(re.findall(r"[。，]|[.,](?=\s\S)", passage.text)) >= (1 if "，" in passage.text else 2)
    )


def _first_of_wrapped(sheet: Sheet, index: int, line: Line, taken: Taken) -> Line:
    """A price may stand beside the second line of a title."""
    if index == 0:
        return line
    for other in sheet.rows[index - 1]:
        alone = len(sheet.rows[index - 1]) == 1
        if alone and _runs_on(other, line) and is_name(other, taken) and not price_of(other):
            return other
    return line


def whole_title(sheet: Sheet, start: Line) -> Line:
    lines = [start]
    priced = {id(line) for row in sheet.rows for line in row[:-1] if price_of(row[-1])}
    for row in sheet.rows:
        for line in row:
            if id(line) in priced and id(start) in priced:
                continue  # it has a price of its own
            fits = line.top > start.top and _runs_on(lines[-1], line) and len(lines) < 3
            if fits and not _SPEC.match(line.key) and not find_money(line.text) and not sheet.is_label(line):
                lines.append(line)
    return joined(lines)


def _runs_on(first: Line, second: Line) -> bool:
    return (
        -0.35 * first.height < second.top - first.bottom < 0.35 * first.height
        and abs(first.left - second.left) < 0.5 * first.height
        and 0.85 < second.height / max(1, first.height) < 1.18
        and abs(first.strength - second.strength) < 35
        and len(first.text) >= 6
        and first.right - first.left > 1.0 * (second.right - second.left) - first.height
    )


def is_name(line: Line, taken: Taken) -> bool:
    """Whether a line may name goods or a shop: text, and no label, price, button or option."""
    key = line.key.strip()
    if len(key) < 2 or not _LETTER.search(key) or taken.touch(line):
        return False
    if (
        is_furniture(key)
        or _QUANTITY.match(key)
        or _SPEC.match(key)
        or (line.struck and find_money(line.text))
    ):
        return False
    if price_of(line) or _LABELLED.match(key):
        return False
    if re.search(r"(?<!续)费$|fee$|金额$|总额$|退回$|返还$", key) or label(key) is not None:
        return False
    if "@" in key or _GREETING.search(key) or re.search(r"已选|请选择|https?:|www\.", key):
        return False
    ending = label_at_end(key)
    if ending and ending[0].name in ("plan", "product", "merchant"):
        ending = None  # 高级会员方案 ends like a label and is a name
    if label_at_start(key) or (ending and ending[1] <= 0.4 * len(key)):
        return False
    status = status_in(key, "order_status")
    return not (status and status[1] > 0.7)
