"""Who carries a parcel, and its number by its form alone."""

import re
from collections.abc import Iterator

from adapters.readers.ocr.claims import Claim, Taken
from adapters.readers.ocr.items import is_name
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import regex, words
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.statuses import is_status

_CARRIER = regex("unlabelled.carrier")
_NUMBER_SHAPE = regex("unlabelled.number_shape")
_TITLE_WORDS = regex("unlabelled.title_words")


def _with_wrapped(sheet: Sheet) -> Iterator[Line]:
    """The lines; and those that go on in a few letters or figures under them, whole: 圆通速|递."""
    for index, row in enumerate(sheet.rows):
        below = sheet.rows[index + 1] if index + 1 < len(sheet.rows) else []
        for line in row:
            ends = [
                other
                for other in below
                if len(other.text) <= 6
                and abs(other.left - line.left) < 0.5 * line.height
                and -0.4 * line.height < other.top - line.bottom < 0.4 * line.height
                and line.text[-1:].isdigit() == other.text.isdigit()
            ]
            yield joined([line, ends[0]], "") if ends else line


def carrier_claims(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    whole = list(_with_wrapped(sheet))
    for line in whole:
        match = words("carriers").search(line.key) or _CARRIER.search(line.text)
        if not match or len(line.text) > 44 or match.start() > 20:
            continue
        place = line.part(*match.span())
        rest = line.key[match.end() :]
        if re.match(r"\.[a-z]", rest):
            continue  # of a link
        score = (
            0.5
            + 0.25 * (match.end() - match.start()) / max(1, len(line.key))
            - 0.1 * line.middle / sheet.height
        )
        yield Claim("carrier", place.text, place, score)
        number = re.search(r"[A-Za-z]{0,4}\d[A-Za-z0-9\s-]{7,30}", line.text[match.end() :])
        if number and re.match(r"\W*$", rest[: number.start()]):
            yield from _tracking(line.part(match.end() + number.start(), match.end() + number.end()), 0.8)
    for line in whole:
        text = re.sub(r"(?<=[A-Z0-9])\s(?=\d{2})", "", line.text) if line.text[:2].isalnum() else line.text
        if match := _NUMBER_SHAPE.search(text):
            place = line.part(*match.span()) if text == line.text else line
            yield Claim("tracking_no", re.sub(r"\s", "", match[0]), place, 0.7)
            name = re.fullmatch(r"([A-Z][a-z]{3,}(?:\s[A-Z][A-Za-z]+)?)\s", text[: match.start()])
            if name and name[1] not in ("Item", "Parcel", "Package", "Tracking", "Shipment", "Number"):
                yield Claim("carrier", name[1], line.part(0, len(name[1])), 0.6)


def carrier_by_its_page(sheet: Sheet, taken: Taken) -> Iterator[Claim]:
    """A carrier's own page bears its name at the head."""
    for line in sheet.lines:
        if line.middle > 0.16 * sheet.height:
            return
        brand = re.fullmatch(r"[A-Z][A-Za-z]{3,}(?:\s[A-Z][A-Za-z]+)?", line.text.strip())
        if (
            brand
            and not _TITLE_WORDS.search(line.key)
            and is_name(line, taken)
            and not is_status(line, "logistics")
        ):
            yield Claim("carrier", line.text.strip(), line, 0.45)
            return


def _tracking(place: Line, score: float) -> Iterator[Claim]:
    value = re.sub(r"\s", "", place.text)
    if sum(c.isdigit() for c in value) >= 8:
        yield Claim("tracking_no", value, place, score)
