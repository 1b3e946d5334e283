"""Pages with little on them: a product, coupons, an error."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.items import is_name, price_of, whole_title
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import regex, words
from adapters.readers.ocr.lines import Line, joined, rows_of
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.sentences import Passage, passages
from adapters.readers.ocr.statuses import is_tab_row, status_in

_TROUBLE = words("trouble")
_CODE = regex("simple_pages.code")
_BRACKETED_CODE = regex("simple_pages.bracketed_code")
_LEADING_CODE = regex("simple_pages.leading_code")
_BARE_CODE = regex("simple_pages.bare_code")
_TAKES_OFF = regex("simple_pages.takes_off")
_COUPON_WORDS = regex("simple_pages.coupon_words")
_DISCOUNT = regex("simple_pages.discount")


def error_claims(sheet: Sheet) -> Iterator[Claim]:
    """What went wrong, in the page's own words, and the code that it gives."""
    for line in sheet.lines:
        match = _CODE.search(line.text) or _BARE_CODE.search(line.text)
        if match and len(line.text) < 60 and not find_money(match["it"]):
            place = line.part(*match.span("it"))
            yield Claim("error_code", place.text, place, 0.85)
    usual = sheet.usual_height or 1.0
    for passage in _explanations(sheet):
        lines = [line for _, line in passage.lines]
        if bracketed := _BRACKETED_CODE.search(passage.text):
            code = re.sub(r"\s", "", bracketed["it"])
            if find_money(code) == [] and len(lines) > 1:
                yield Claim("error_code", code, passage.line(*bracketed.span("it")), 0.85)
        text = _BRACKETED_CODE.sub("", passage.text)
        if leading := _LEADING_CODE.match(fold(text)):
            text = text[leading.end() :]
        text = re.sub(r"[(（\[]?(?:错误码|错误代码|error code).*$", "", text, flags=re.IGNORECASE)
        text = re.sub(r"^[45]\d\d\s+", "", text).strip()
        if not 4 <= len(text) <= 160 or not _TROUBLE.search(fold(text)):
            continue
        telling = min(1.0, len(text) / 14)
        size = min(1.5, lines[0].height / usual)
        yield Claim("error_message", text, joined(lines), 0.35 + 0.3 * telling + 0.2 * size)


def _explanations(sheet: Sheet) -> Iterator[Passage]:
    """Paragraphs; a headline is not run together with the text under it."""
    for passage in passages(sheet.lines):
        lines = [line for _, line in passage.lines]
        if len(lines) > 1 and lines[0].height > 1.2 * lines[1].height:
            yield from (*passages(lines[:1]), *passages(lines[1:]))
        else:
            yield passage


def explained_failure(sheet: Sheet) -> Iterator[Claim]:
    """On a page of a failed payment: the sentence that says why, not the headline that says so."""
    claims = list(error_claims(sheet))
    told = [claim for claim in claims if claim.name == "error_message" and not _only_says_so(claim)]
    for claim in claims:
        if told and claim.name == "error_message" and claim not in told:
            continue
        if claim.name == "error_code" or len(claim.value) >= (9 if claim.value.isascii() is False else 22):
            yield claim


def _only_says_so(claim: Claim) -> bool:
    found = status_in(claim.line.key, "payment_status")
    return bool(found and found[0] == "failed" and found[1] > 0.55 and len(claim.value) <= 48)


def product_claims(sheet: Sheet, locale: Locale) -> Iterator[Claim]:
    """The price is the largest amount; the title the longest strong text near it."""
    nothing = Taken()
    prices = [(line, money) for line in sheet.lines if (money := price_of(line)) and money.unit]
    if not prices:
        return
    price, money = max(prices, key=lambda pair: (round(pair[0].height / 3), -pair[0].top))
    yield Claim("item_price", money.value, price.part(money.start, money.end), 0.8, locale.unit(money))
    titles = []
    for line in sheet.lines:
        if is_name(line, nothing) and not find_money(line.text) and len(line.text) >= 4:
            title = whole_title(sheet, line)
            near = 1.0 - min(1.0, abs(line.middle - price.middle) / (0.5 * sheet.height))
            weight = len(title.text) ** 0.5 * line.height**1.5 * line.strength * (0.5 + near)
            titles.append((weight, title))
    if titles:
        best = max(titles, key=lambda title: title[0])[1]
        yield Claim("product", best.text.strip(), best, 0.75)


def coupon_cards(sheet: Sheet) -> list[Sheet]:
    """A coupon's card: around what it takes off, in large letters."""
    anchors = [line for line in sheet.lines if _is_value(line, sheet)]
    if not anchors:
        return []
    bands = rows_of(anchors)
    edges = [_edge(sheet, above, below) for above, below in pairwise(bands)]
    reach = 6 * anchors[0].height if not edges else float(sheet.height)
    cards: dict[int, list[Line]] = {id(anchor): [] for band in bands for anchor in band}
    for row in sheet.rows:
        if is_tab_row(row) and len(bands[0]) == 1:
            continue
        for line in row:
            band = bands[sum(line.middle > edge for edge in edges)]
            if abs(band[0].middle - line.middle) <= min(reach, 6 * band[0].height):
                cards[id(_beside(line, band))].append(line)
    return [Sheet(lines, sheet.width, sheet.height) for lines in cards.values()]


def _edge(sheet: Sheet, above: Sequence[Line], below: Sequence[Line]) -> float:
    """Where one row of coupons ends and the next begins: the widest gap between their values."""
    lines = [line for line in sheet.lines if above[0].middle <= line.middle <= below[0].middle]
    lines.sort(key=lambda line: line.top)
    widest, edge, bottom = 0.0, (above[0].middle + below[0].middle) / 2, float(above[0].bottom)
    for line in lines:
        if line.top - bottom > widest:
            widest, edge = line.top - bottom, (line.top + bottom) / 2
        bottom = max(bottom, line.bottom)
    return edge


def _beside(line: Line, band: Sequence[Line]) -> Line:
    """Of values side by side, as a grid has them, the one that a line is nearest to."""
    return min(band, key=lambda anchor: abs(anchor.left + anchor.right - line.left - line.right))


def _is_value(line: Line, sheet: Sheet) -> bool:
    large = line.height > 1.15 * sheet.usual_height
    return large and bool(
        price_of(line)
        or (_TAKES_OFF.search(line.key) and len(line.text) <= 16)
        or (_DISCOUNT.search(line.key) and len(line.text) <= 14)
    )


def _taken_off(line: Line) -> Money | None:
    found = find_money(line.text)
    return price_of(line) or (found[0] if len(found) == 1 and _TAKES_OFF.search(line.key) else None)


def coupon_issuer(card: Sheet) -> Iterator[Claim]:
    """The shop's name over what its coupon takes off."""
    values = [line for line in card.lines if _is_value(line, card)]
    for line in card.lines[:3]:
        short = 2 <= len(line.text) <= 14 and is_name(line, Taken())
        if values and short and line.bottom <= values[0].top and not _COUPON_WORDS.search(line.key):
            yield Claim("merchant", line.text.strip(), line, 0.5)
            return


def coupon_claims(sheet: Sheet, locale: Locale) -> Iterator[Claim]:
    prices: list[tuple[Line, Money]] = [(line, money) for line in sheet.lines if (money := _taken_off(line))]
    if prices:
        line, money = max(prices, key=lambda pair: pair[0].height)
        yield Claim("discount", money.value, line.part(money.start, money.end), 0.8, locale.unit(money))
