"""Which page a picture shows: by its words, its title and how it is laid out."""

import re

from adapters.readers.ocr.claims import Locale
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.items import price_of
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import label_at_start, page_words, regex, squeeze, words
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.lists import agreement_cards, are_dated, charge_entries, order_cards, status_cards
from adapters.readers.ocr.money import find_money
from adapters.readers.ocr.sentences import passages, sentence_claims
from adapters.readers.ocr.statuses import is_tab_row, status_in
from adapters.readers.ocr.tables import find_table
from bot.domain.vocabulary import Page

ENOUGH = 3.6
_TITLED = 5.0
_MESSAGE = 4.4
"""What a title that is put together like a page's, and a message that tells of a charge, weigh."""
_CHARGED = regex("pages.charged")
_ACCOUNT = regex("pages.account")
_RENEWED = regex("pages.renewed")
_PARCEL = regex("pages.parcel")
_ARTICLE = regex("pages.article")
_ACTION = regex("statuses.repeated_action")
_TOTAL = regex("pages.total")
_WORDS = re.compile(r"[\u4e00-\u9fff]{3}|[a-z]{4}")
_OF_PAYING = re.compile(
    r"支付|付款|充值|缴费|扣款|扣费|交易|代扣|转账|刷卡|payment|charge|card|transaction|purchase"
)
_YOU_PAID = re.compile(r"you (?:paid|sent)|payment sent|paid to|付款给|支付给")
_DONE = re.compile(r"done|ok|close|完成|确定|返回|back to home|返回首页|返回商家|关闭")
_NUMBER_SHAPE = regex("unlabelled.number_shape")
_CLOCK = re.compile(r"^\d{1,2}:\d{2}")


def classify(sheet: Sheet, locale: Locale) -> Page:
    """The likeliest page; ``other`` where too little speaks for any."""
    scores = page_scores(sheet, locale)
    best = max(scores, key=lambda page: scores[page])
    return best if scores[best] >= ENOUGH else page_by_labels(sheet) or "other"


def page_by_labels(sheet: Sheet) -> Page | None:
    """Where no word tells the page: what its labelled values are about."""
    numbered = any(_NUMBER_SHAPE.search(line.text) for line in sheet.lines)
    if numbered and any(status_in(line.key, "shipment_status") for line in sheet.lines):
        return "logistics"
    names = {meaning.name for meaning in sheet.labels.values()}
    names |= {found[0].name for line in sheet.lines if (found := label_at_start(line.key))}
    if len(names) < 2 or len(sheet.lines) < 4:
        return None
    money = any(find_money(line.text) for line in sheet.lines)
    for page, telling in _TELLING.items():
        if names & telling and (money or page == "logistics"):
            return page
    if not money or not names & {"amount", "_amount"}:
        return None
    if names & {"_subtotal", "_fee", "discount", "item_price", "product"}:
        return "order_detail" if names & {"order_no", "ordered_at", "address"} else "receipt"
    return "charge_notice" if len(names) >= 3 else None


_TELLING: dict[Page, frozenset[str]] = {
    "logistics": frozenset({"tracking_no"}),
    "subscription": frozenset({"next_charge_at", "auto_renewal"}),
    "refund": frozenset({"refund_amount", "refunded_at"}),
}


def page_scores(sheet: Sheet, locale: Locale) -> dict[Page, float]:
    titles = {id(line) for line in title_lines(sheet)}
    best: dict[tuple[Page, str], float] = {}
    for row in sheet.rows:
        tabs = is_tab_row(row)
        for line in row:
            for page, word, weight in _words_in(line):
                if tabs and page != "order_list":
                    continue
                exact = squeeze(line.key.strip(" :>?!。.")) == word
                score = weight * (2.4 if id(line) in titles and exact else 1.4 if id(line) in titles else 1.0)
                score *= 1.0 if exact else 0.55 if len(line.text) < 24 else 0.4
                if score > best.get((page, word), 0.0):
                    best[page, word] = score
    scores: dict[Page, float] = dict.fromkeys(page_words(), 0.0)
    for (page, _), score in best.items():
        scores[page] += score
    for page in scores:
        scores[page] += _titled(page, sheet, titles)
    _weigh_layout(sheet, locale, scores)
    _weigh_messages(sheet, locale, scores)
    if sum(1 for line in sheet.lines if _ARTICLE.search(line.key)) >= 2:
        scores = {page: 0.5 * score for page, score in scores.items()}
    if max(scores.values()) < ENOUGH and _is_till_slip(sheet):
        scores["receipt"] = ENOUGH
    return scores


def _is_till_slip(sheet: Sheet) -> bool:
    """Goods and their prices in two columns, and a total under them."""
    priced = [row for row in sheet.rows if len(row) >= 2 and price_of(row[-1])]
    return len(priced) >= 3 and any(_TOTAL.match(line.key) for line in sheet.lines)


def _titled(page: Page, sheet: Sheet, titles: set[int]) -> float:
    """Whether a title, or a short line elsewhere, is put together as such a page's titles are."""
    weight = 0.0
    for line in sheet.lines:
        key = re.sub(r"^[\W_]+|[\s:>?!。.›]+$", "", line.key)
        if 2 <= len(key) <= 40 and regex(f"pages.title.{page}").search(key):
            weight = max(weight, _TITLED if id(line) in titles else 0.3 * _TITLED)
    return weight


def _weigh_messages(sheet: Sheet, locale: Locale, scores: dict[Page, float]) -> None:
    """Running text that tells of a charge on an account, or of a parcel, whatever else is said."""
    booked = told_of = renewed = returned = parcels = 0
    for passage in passages(sheet.lines):
        key = fold(passage.text)
        if len(key) < 16:
            continue
        lines = [line for _, line in passage.lines]
        told = {claim.name for claim in sentence_claims(lines, locale)}
        booked += bool(told & {"amount", "refund_amount"}) and bool(_ACCOUNT.search(key))
        returned += "refund_amount" in told and "amount" not in told and not _ACCOUNT.search(key)
        told_of += "amount" in told and bool(_CHARGED.search(key))
        renewed += "amount" in told and bool(_RENEWED.search(key))
        parcels += "amount" not in told and bool(_PARCEL.search(key))
    if booked and len(sheet.labels) <= 4:
        scores["charge_notice"] += _MESSAGE + min(2, booked - 1)
        scores["chat"] *= 0.4
    elif told_of:
        scores["charge_notice"] += 0.86 * _MESSAGE
    if renewed and len(sheet.labels) <= 4:
        scores["subscription"] *= 0.5  # it tells of a renewal, and manages none
    if returned and len(sheet.labels) <= 4:
        scores["refund"] += 0.86 * _MESSAGE
    if parcels and len(sheet.labels) <= 4:
        scores["logistics"] += 3.0


def _words_in(line: Line) -> list[tuple[Page, str, float]]:
    found: list[tuple[Page, str, float]] = []
    for page, groups in page_words().items():
        for pattern, weight in groups:
            found += [(page, squeeze(match[0]), weight) for match in pattern.finditer(line.key)]
    return found


def title_lines(sheet: Sheet) -> list[Line]:
    """The page's title: the first rows under the phone's status bar, and what is by far the largest."""
    titles: list[Line] = []
    rows = 0
    for row in sheet.rows:
        if row[0].top > 0.22 * sheet.height and rows:
            break
        if _is_status_bar(row, sheet):
            continue
        titles += row
        rows += 1
        if rows == 2:
            break
    usual = sheet.usual_height
    titles += [
        line for line in sheet.lines if line.height > 1.45 * usual and line.middle < 0.5 * sheet.height
    ]
    return titles


def _is_status_bar(row: list[Line], sheet: Sheet) -> bool:
    return row[0].top < 0.05 * sheet.height and (
        any(_CLOCK.match(line.text) for line in row) or not any(_WORDS.search(line.key) for line in row)
    )


def _weigh_layout(sheet: Sheet, locale: Locale, scores: dict[Page, float]) -> None:
    names = {meaning.name for meaning in sheet.labels.values()}
    names |= {start[0].name for line in sheet.lines if (start := label_at_start(line.key))}
    money = sum(1 for line in sheet.lines if find_money(line.text))
    if not money:
        for page in ("charge_notice", "order_detail", "receipt", "payment_result", "coupon", "product"):
            scores[page] *= 0.6
    if "tracking_no" in names:
        scores["logistics"] += 1.5
    if {"order_no", "ordered_at"} <= names:
        scores["order_detail"] += 3
    if "address" in names or "person" in names:
        scores["order_detail"] += 1
    if "refund_amount" in names:
        scores["refund"] += 2
    if "next_charge_at" in names or "auto_renewal" in names:
        scores["subscription"] += 2
    if {"order_no", "amount"} <= names and not names & {"refund_amount", "refunded_at", "_refund_to"}:
        scores["refund"] *= 0.45  # an order whose state is a refund
        scores["order_detail"] += 3
    if "transaction_no" in names and names & {"next_charge_at", "plan"}:
        scores["charge_notice"] += 2.5  # it has been charged, and will be again
    if "transaction_no" in names:
        scores["charge_notice"] += 2
    if {"charged_at", "next_charge_at"} <= names and _says_that_it_was_paid(sheet):
        scores["charge_notice"] += 2.5
    entries = charge_entries(sheet, locale)
    if (
        len(entries) >= 3
        and are_dated(entries, locale)
        and not names & {"amount", "_subtotal", "_fee", "_quantity"}
    ):
        scores["charge_notice"] += 4
    actions = sum(1 for line in sheet.lines if _ACTION.search(line.key.strip()))
    if len(order_cards(sheet)) >= 2 or (actions >= 2 and money >= 2):
        scores["order_list"] += 5.0
        scores["order_list"] += 3.0 if len(status_cards(sheet)) >= 2 else 0.0
    if "_balance" in names and not names & {"amount", "_amount", "charged_at", "_time"} and len(entries) < 2:
        scores["charge_notice"] *= 0.6  # what one has, not what one paid
    if table := find_table(sheet, locale):
        listed = any(column.meaning == "order_no" for column in table.columns)
        scores["order_list" if listed else "charge_notice"] += 4.0
    if {"amount", "transaction_no"} <= names and names & {"charged_at", "_other_time", "_time"}:
        scores["charge_notice"] += 5
    if len(agreement_cards(sheet)) >= 2:
        scores["subscription"] += 4
    if any(_YOU_PAID.fullmatch(line.key.strip()) for line in sheet.lines) and any(
        _DONE.fullmatch(line.key.strip()) for line in sheet.lines
    ):
        scores["payment_result"] += 4
    if (
        money
        and _says_how_a_payment_failed_or_waits(sheet)
        and names & {"amount", "_amount", "merchant", "payment_method"}
    ):
        scores["payment_result"] += 4
        scores["error"] *= 0.6
    scores["chat"] += 4 * _is_chat(sheet)
    scores["error"] += _trouble(sheet, money)


def _says_how_a_payment_failed_or_waits(sheet: Sheet) -> bool:
    found = (
        status_in(line.key, "payment_status")
        for line in title_lines(sheet)
        if len(line.text) <= 40 and _OF_PAYING.search(line.key)
    )
    return any(
        status
        and status[1] > 0.3
        and (status[0] == "failed" or (status[0] == "pending" and status[1] > 0.55))
        for status in found
    )


def _says_that_it_was_paid(sheet: Sheet) -> bool:
    """In words of their own in the upper half, as a notice's heading."""
    upper = [line for line in sheet.lines if line.middle < 0.5 * sheet.height]
    found = (status_in(line.key, "payment_status") for line in upper)
    return any(status and status[0] == "success" and status[1] > 0.6 for status in found)


def _trouble(sheet: Sheet, money: int) -> float:
    """A page that says little but that something went wrong."""
    lines = [line for line in sheet.lines if line.middle > 0.05 * sheet.height and len(line.text) > 1]
    said = sum(1 for line in lines if words("trouble").search(line.key))
    if not said or money or len(lines) > 16 or len(sheet.labels) > 3:
        return 0.0
    return min(3.5, 6.0 * said / len(lines) + 1.0)


def _is_chat(sheet: Sheet) -> float:
    """Bubbles: some lines at the left edge, some at the right, hardly any in the same row."""
    width = sheet.width
    rows = [
        [line for line in row if not _is_portrait(line, width)]
        for row in sheet.rows
        if 0.08 * sheet.height < row[0].middle < 0.92 * sheet.height
    ]
    rows = [row for row in rows if row]
    labels = sum(1 for line in sheet.lines if sheet.is_label(line))
    if len(rows) < 4 or labels > 3:
        return 0.0
    alone = [row[0] for row in rows if len(row) == 1 and not find_money(row[0].text, loose=True)]
    left = [line for line in alone if line.left < 0.25 * width and line.right < 0.92 * width]
    right = [line for line in alone if line.left > 0.27 * width and line.right > 0.78 * width]
    single = sum(1 for row in rows if len(row) == 1)
    return 1.0 if left and right and single > 0.75 * len(rows) else 0.0


def _is_portrait(line: Line, width: int) -> bool:
    """A letter or two in a round picture beside a bubble."""
    return len(line.text) <= 2 and (line.right < 0.16 * width or line.left > 0.84 * width)
