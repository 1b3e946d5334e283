"""Which page a picture shows: by its words, its title and how it is laid out."""

import re

from adapters.readers.ocr.claims import Locale
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import page_words, regex, squeeze
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.lists import charge_entries
from adapters.readers.ocr.money import find_money
from adapters.readers.ocr.sentences import sentence_claims
from adapters.readers.ocr.statuses import is_tab_row
from bot.domain.vocabulary import Page

ENOUGH = 4.0
_CHARGED = regex("pages.charged")
_CLOCK = re.compile(r"^\d{1,2}:\d{2}")


def classify(sheet: Sheet, locale: Locale) -> Page:
    """The likeliest page; ``other`` where too little speaks for any."""
    scores = page_scores(sheet, locale)
    best = max(scores, key=lambda page: scores[page])
    return best if scores[best] >= ENOUGH else "other"


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
    _weigh_layout(sheet, locale, scores)
    return scores


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
        any(_CLOCK.match(line.text) for line in row) or all(len(line.text) <= 4 for line in row)
    )


def _weigh_layout(sheet: Sheet, locale: Locale, scores: dict[Page, float]) -> None:
    names = {meaning.name for meaning in sheet.labels.values()}
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
    if "transaction_no" in names:
        scores["charge_notice"] += 2
    if len(charge_entries(sheet, locale)) >= 3 and not names & {"amount", "_subtotal", "_fee", "_quantity"}:
        scores["charge_notice"] += 4
    if any(c.name == "amount" and c.unit for c in sentence_claims(sheet.lines, locale)):
        scores["charge_notice"] += 3.3 if _CHARGED.search(" ".join(line.key for line in sheet.lines)) else 0
    if {"amount", "transaction_no"} <= names and names & {"charged_at", "_other_time", "_time"}:
        scores["charge_notice"] += 5
    scores["chat"] += 4 * _is_chat(sheet)


def _is_chat(sheet: Sheet) -> float:
    """Bubbles: some lines at the left edge, some at the right, hardly any in the same row."""
    middle = [line for line in sheet.lines if 0.08 * sheet.height < line.middle < 0.92 * sheet.height]
    if len(middle) < 4:
        return 0.0
    alone = [row[0] for row in sheet.rows if len(row) == 1 and row[0] in middle]
    left = [line for line in alone if line.left < 0.25 * sheet.width and line.right < 0.88 * sheet.width]
    right = [line for line in alone if line.left > 0.27 * sheet.width and line.right > 0.78 * sheet.width]
    rows = [row for row in sheet.rows if row[0] in middle]
    return 1.0 if left and right and len(alone) > 0.75 * len(rows) else 0.0
