"""What letters and slips say without a label: whom they are from, and when."""

import re
from collections.abc import Iterator
from itertools import pairwise

from adapters.readers.ocr.claims import Claim, Locale, Taken
from adapters.readers.ocr.items import is_name, price_of
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import regex
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.money import find_money
from adapters.readers.ocr.tenders import is_means_of_payment
from adapters.readers.ocr.times import Time
from bot.domain.vocabulary import FactName

_LATIN_NAME = re.compile(r"^[A-Z][\w&'.+-]*(?:\s[\w&'.+-]+){0,3}$|^[\u4e00-\u9fff]{2,10}$")
_FROM = regex("unlabelled.from")
_THANKS = re.compile(r"[\s,，!！]*(?:感谢|感謝|谢谢|謝謝|thank)", re.IGNORECASE)
_FIRM = regex("unlabelled.firm")
_TITLE = regex("pages.title.receipt")


_SIGNED_OFF = regex("unlabelled.signed_off")


def issuer_claims(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """Who sent a receipt: it says so, or stands at the head."""
    for line in sheet.lines:
        if match := _FROM.search(line.text):
            place = line.part(*match.span("it"))
            yield Claim("merchant", place.text.strip(), place, 0.75)
    names = [line for line in sheet.lines if is_name(line, taken) and line.top < 0.2 * sheet.height]
    names = [
        line
        for line in names
        if not _FROM.search(line.text)
        and not _TITLE.search(line.key)
        and not re.search(r"\d:\d\d", line.text)
    ]
    priced = {id(line) for row in sheet.rows for line in row if any(price_of(other) for other in row)}
    names = [line for line in names if id(line) not in priced]
    firms = [line for line in names if _FIRM.search(line.key)]
    if names:
        best = (firms or names)[0]
        if thanks := _THANKS.search(best.text, 2):
            best = best.part(0, thanks.start())
        yield Claim("merchant", best.text.strip(), best, 0.62 if firms else 0.58)


def signature_claims(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """Who signs a letter: the line under the greeting at its end."""
    for above, below in pairwise(sheet.rows):
        close = below[0].top - above[0].bottom < 1.5 * above[0].height
        if close and _SIGNED_OFF.search(above[0].key.strip()) and is_name(below[0], taken):
            name = re.sub(
                r"(?i)^(?:the|your)\s+|\s+(?:customer )?(?:team|support|billing|crew)$",
                "",
                below[0].text.strip(),
            )
            start = below[0].text.find(name)
            if 2 <= len(name) <= 32:
                yield Claim("merchant", name, below[0].part(start, start + len(name)), 0.66)
                return


def brand_claims(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """A name at the head of a page that the text below takes up again is whom the page is from."""
    for line in sheet.lines:
        head = line.middle < 0.35 * sheet.height and 3 <= len(line.text) <= 24 and is_name(line, taken)
        if not head or not _LATIN_NAME.match(line.text) or is_means_of_payment(line):
            continue
        if sum(line.key in other.key for other in sheet.lines) >= 2:
            yield Claim("merchant", line.text.strip(), line, 0.56)
            return


def only_day_claims(sheet: Sheet, locale: Locale, taken: Taken, name: FactName) -> Iterator[Claim]:
    """The only day on an order's card is when it was ordered, on a receipt when it was paid."""
    found = [
        (line, time)
        for line in sheet.lines
        if line not in taken and len(line.text) <= 30
        for time in locale.times(line.text)
        if time.iso and not time.relative
    ]
    if len(found) == 1:
        line, time = found[0]
        yield Claim(name, time.iso or "", line.part(time.start, time.end), 0.45)


def _over_the_money(sheet: Sheet, moments: list[tuple[Line, Time]]) -> list[tuple[Line, Time]]:
    """Of notifications by several apps, each under its own moment: that of the first to tell of money."""
    told = next((line for line in sheet.lines if find_money(line.text)), None)
    above = [moment for moment in moments if told and moment[1].relative and moment[0].middle < told.bottom]
    return above[-1:]


def moment_claims(sheet: Sheet, locale: Locale, taken: Taken) -> Iterator[Claim]:
    """A date with a time of day that stands alone, and is the only one, is when it happened.

    Two apps that tell of one charge bear the same moment twice.
    """
    found = [
        (line, times[0])
        for line in sheet.lines
        if line not in taken and (times := locale.times(line.text)) and times[0].day and times[0].clock
    ]
    if len({time.iso for _, time in found}) > 1:
        found = _over_the_money(sheet, found)
    if len({time.iso for _, time in found}) != 1:
        return
    line, time = found[0]
    if time.end - time.start > 0.6 * len(line.text):
        yield Claim("charged_at", time.iso or "", line.part(time.start, time.end), 0.5)
