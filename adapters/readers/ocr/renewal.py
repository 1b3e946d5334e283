"""Whether a subscription renews: from a switch, from words, from the button that is offered."""

import re
from collections.abc import Iterator

from adapters.readers.ocr.claims import Claim
from adapters.readers.ocr.detector import Image
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import regex, squeeze, words
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.statuses import status_in
from adapters.readers.ocr.switches import find_switch
from bot.domain.vocabulary import Page

_RENEWAL = words("renewal")


_DATED = regex("renewal.dated")
_WILL = re.compile(r"将|下次|下期|renews|will|next")
_ENDS = regex("renewal.ends")


def renewal_claims(sheet: Sheet, image: Image, page: Page) -> Iterator[Claim]:
    if page not in ("subscription", "charge_notice"):
        return
    for line in sheet.lines:
        if len(line.text) <= 24 and _RENEWAL.search(line.key):
            yield from _switch(image, line)
        found = status_in(line.key, "auto_renewal")
        if found is None:
            if (
                _DATED.search(line.key)
                and _RENEWAL.search(line.key)
                and not _ENDS.search(line.key)
                and (page == "subscription" or _WILL.search(line.key))
            ):
                yield Claim("auto_renewal", "on", line, 0.7)
            continue
        value, coverage, span = found
        heads = line is sheet.rows[0][-1] and len(sheet.rows[0]) >= 2 and coverage > 0.8
        about = heads or len(squeeze(line.key[span[0] : span[1]])) > 3 or _RENEWAL.search(line.key)
        if about and (coverage > 0.55 or page == "subscription"):
            shown = line if coverage > 0.7 else line.part(*span)
            yield Claim("auto_renewal", value, shown, 0.5 + 0.3 * coverage)


def _switch(image: Image, line: Line) -> Iterator[Claim]:
    if found := find_switch(image, line):
        on, box = found
        shown = Line(text="", box=box, confidence=0.95, places=())
        yield Claim("auto_renewal", "on" if on else "off", shown, 1.0)
