"""Statuses that a page says in words: not those of its tabs, steps, buttons or small print."""

import re
from collections.abc import Iterator, Sequence

from adapters.readers.ocr.claims import Claim
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import regex, says_a_status, squeeze, statuses, words
from adapters.readers.ocr.lines import Line
from bot.domain.vocabulary import FactName, Page

STATUS_OF_PAGE: dict[Page, tuple[FactName, ...]] = {
    "charge_notice": ("payment_status",),
    "payment_result": ("payment_status",),
    "subscription": (),
    "order_detail": ("order_status",),
    "order_list": ("order_status",),
    "refund": ("refund_status",),
    "logistics": ("shipment_status",),
    "coupon": ("coupon_status",),
}
# Things that might be, or that somebody may do: 若付款失败, 退款成功后, will be cancelled.
_DAY = regex("renewal.dated")
_FAILED = regex("statuses.payment_failed")
_PENDING = regex("statuses.payment_pending")
_NOT_YET = regex("statuses.not_yet")


def status_in(text_key: str, fact: FactName) -> tuple[str, float, tuple[int, int]] | None:
    """The value of a status word in a folded text, how much of the text it fills, and its span."""
    length = max(1, len(squeeze(text_key)))
    for pattern, value in statuses(fact):
        if match := pattern.search(text_key):
            return value, len(squeeze(match[0])) / length, match.span()
    if fact == "payment_status" and (match := _FAILED.search(text_key)):
        return "failed", len(squeeze(match[0])) / length, match.span()
    if fact == "payment_status" and (match := _PENDING.search(text_key)):
        return "pending", len(squeeze(match[0])) / length, match.span()
    return None


def _best_segment(key: str, fact: FactName) -> tuple[str, float, tuple[int, int]] | None:
    """The part of a line, between separators, that a status word fills best: Shipped · Arriving Monday."""
    best: tuple[str, float, tuple[int, int]] | None = None
    for segment in re.finditer(r"[^·|,，。;；(（]+", key):
        if _NOT_YET.search(segment[0]):
            continue
        found = status_in(segment[0], fact)
        if found and (best is None or found[1] > best[1]):
            shift = segment.start()
            best = found[0], found[1], (found[2][0] + shift, found[2][1] + shift)
    return best


def is_tab_row(row: Sequence[Line]) -> bool:
    """Tabs and steps: three or more of the words that only navigate."""
    named = [line for line in row if words("tabs").search(line.key) and len(line.text) <= 14]
    if len(named) >= 3:
        return True
    joined = " ".join(line.key for line in row)
    return len(words("tabs").findall(joined)) >= 4


def status_claims(sheet: Sheet, page: Page) -> Iterator[Claim]:
    """What stands as a headline, or beside a label that means a status."""
    for fact in STATUS_OF_PAGE.get(page, ()):
        yield from _claims(sheet, fact)


def _claims(sheet: Sheet, fact: FactName) -> Iterator[Claim]:
    usual = sheet.usual_height or 1.0
    for row in sheet.rows:
        if is_tab_row(row) or _is_steps(row, fact):
            continue
        for line in row:
            if len(line.text) > 60 or (sheet.is_label(line) and not _stands_alone(sheet, row, line)):
                continue
            if (found := _best_segment(line.key, fact)) is None:
                continue
            value, coverage, span = found
            if coverage < 0.34:
                continue
            size = min(1.6, line.height / usual)
            place = 1.0 - 0.45 * line.middle / max(1, sheet.height)
            score = 0.25 + 0.3 * coverage + 0.22 * size + 0.25 * place - 0.2
            if line is not row[-1] and _DAY.search(row[-1].key):
                score -= 0.25  # a step of the past, with its day
            text = line if span[1] - span[0] > 0.7 * len(line.text) else line.part(*span)
            yield Claim(fact, value, text, score)


def _stands_alone(sheet: Sheet, row: Sequence[Line], line: Line) -> bool:
    """A status word that could be a label (已退款, Paid), in large letters or without a value beside it."""
    return says_a_status(line.key) and (line.height > 1.3 * sheet.usual_height or line is row[-1])


def _is_steps(row: Sequence[Line], fact: FactName) -> bool:
    return sum(1 for line in row if len(line.text) <= 10 and status_in(line.key, fact)) >= 3


def is_status(line: Line, page: Page) -> bool:
    """Whether a line says a status of such a page, and names nothing."""
    return any(
        (found := status_in(line.key, fact)) and found[1] > 0.4 for fact in STATUS_OF_PAGE.get(page, ())
    )
