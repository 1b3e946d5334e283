"""What a row of a list of charges says: its amount, its time, whom the money went to."""

import re
from collections.abc import Iterator, Sequence

from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.items import is_name
from adapters.readers.ocr.lexicon import regex
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.lists import Entry
from adapters.readers.ocr.sentences import is_renewing_plan, sentence_claims, without_gateway
from adapters.readers.ocr.statuses import status_in
from bot.domain.vocabulary import FactName

_KIND = regex("facts.kind")
_KIND_AFTER = regex("facts.kind_after")
_TRANSFER = regex("facts.transfer")
_PLAN = re.compile(r"[^-—–·|:：]*连续包[月季年]")
_REFUND = regex("facts.refund")


def entry_claims(entry: Entry, entries: Sequence[Entry], locale: Locale) -> Iterator[Claim]:
    """Money that came in is no charge, and unless the row speaks of a refund it is nothing given back."""
    text = " ".join(line.key for line in entry.lines)
    signed = sum(1 for e in entries if e.money.sign == "-") * 2 >= len(entries)
    refund = bool(_REFUND.search(text)) and not (signed and entry.money.sign == "-")
    incoming = entry.money.sign == "+" if signed else entry.money.sign in ("-", "+")
    price = entry.price.part(entry.money.start, entry.money.end)
    if incoming and not refund:
        return
    name: FactName = "refund_amount" if incoming or refund else "amount"
    yield Claim(name, entry.money.value, price, 0.85, locale.unit(entry.money))
    yield from _time(entry, locale, name == "refund_amount")
    yield from _name(entry, locale)
    for claim in sentence_claims([line for line in entry.lines if line is not entry.price], locale):
        if claim.name in ("refund_amount", "discount") or is_renewing_plan(claim):
            yield claim


def _time(entry: Entry, locale: Locale, back: bool) -> Iterator[Claim]:
    name: FactName = "refunded_at" if back else "charged_at"
    for line in entry.lines:
        for time in locale.times(line.text):
            dated = time.on(entry.day).in_year(entry.year)
            if dated.iso:
                yield Claim(name, dated.iso, line.part(time.start, time.end), 0.85)
                return
    if entry.day and entry.day.iso:
        yield Claim(name, entry.day.iso, entry.price, 0.5)


def _name(entry: Entry, locale: Locale) -> Iterator[Claim]:
    none = Taken()
    names = [
        line
        for line in entry.lines
        if is_name(line, none) and not locale.times(line.text) and not status_in(line.key, "payment_status")
    ]
    names = [line for line in names if line.right <= entry.price.left or entry.price.right <= line.left]
    if names:
        beside = [line for line in names if abs(line.middle - entry.price.middle) < 0.8 * entry.price.height]
        best = min(beside or names, key=lambda line: (line.left // 40, line.top))
        yield from _named_in(best)


def _named_in(line: Line) -> Iterator[Claim]:
    """The name in a row's title, without the kind of booking before it or after it (退款-, -自动续费)."""
    if transfer := _TRANSFER.match(line.text):
        part = line.part(transfer.end(), len(line.text))
        yield Claim("person", part.text, part, 0.7)
        return
    if kind := _KIND.match(line.text):
        line = line.part(kind.end(), len(line.text))
    if (after := _KIND_AFTER.search(line.key)) and after.start() > 1:
        line = line.part(0, after.start())
    line = without_gateway(line)
    name = "plan" if _PLAN.fullmatch(line.key.strip()) else "merchant"
    yield Claim(name, line.text.strip(), line, 0.75)
