"""Whom a page is about: names, numbers and addresses, labelled or in the block that addresses come in."""

import re
from collections.abc import Iterable, Iterator

from adapters.readers.ocr.claims import Claim, Taken, overlaps
from adapters.readers.ocr.folding import simplified
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import is_furniture, label, label_at_start, regex, statuses
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import find_money
from adapters.readers.ocr.personal import Personal, find_personal, is_address, is_person
from bot.domain.vocabulary import Page

_BRACKETED = regex("people.bracketed")
_LEADING_LABEL = regex("people.leading_label")

_GREETING = regex("people.greeting")
_NOBODY = frozenset(
    [
        "customer",
        "there",
        "user",
        "member",
        "friend",
        "all",
        "guest",
        "sir",
        "madam",
        "valued",
        "client",
        "subscriber",
        "team",
    ]
)


def personal_claims(sheet: Sheet, page: Page, claims: Iterable[Claim], taken: Taken) -> Iterator[Claim]:
    """Numbers wherever they stand; a name beside a phone number; an address in the lines of its block."""
    known = [claim.line.box for claim in claims if claim.name not in ("address", "person")]
    for line in sheet.lines:
        for found in find_personal(line.text):
            place = line.part(found.start, found.end)
            if any(overlaps(place.box, box) for box in known) or (
                place in taken and found.name == "card_number"
            ):
                continue
            yield Claim(found.name, found.value, place, 0.85)
            if found.name == "phone":
                yield from _name_beside(line, found)
    for line in sheet.lines:
        if (greeted := _GREETING.match(simplified(line.text))) and greeted["it"].lower() not in _NOBODY:
            place = line.part(*greeted.span("it"))
            yield Claim("person", place.text, place, 0.7)
    if page in ("order_detail", "logistics", "payment_result", "order_list", "refund"):
        yield from _addresses(sheet, known)


def _name_beside(line: Line, phone: Personal) -> Iterator[Claim]:
    for start, end in ((0, phone.start), (phone.end, len(line.text))):
        part = line.part(start, end)
        bare = re.sub(r"[\s,，]*[+(]?(?:00)?86[)-]?\s?$", "", part.text).strip(" ,，|:：-+（(")
        if 2 <= len(bare) <= 20 and is_person(bare) and not _says_something(bare):
            at = part.text.find(bare)
            yield Claim("person", bare, part.part(at, at + len(bare)), 0.8)
            return


def _says_something(text: str) -> bool:
    key = text.lower()
    return (
        label(key) is not None
        or is_furniture(key)
        or any(pattern.search(key) for pattern, _ in statuses("order_status"))
        or bool(re.search(r"电联|电话|電話|客服|拨打|联系|聯絡|致电|热线|手机|[拨打登录]|call|phone", key))
    )


def _addresses(sheet: Sheet, known: list[tuple[int, int, int, int]]) -> Iterator[Claim]:
    used: set[int] = set()
    for index, row in enumerate(sheet.rows):
        for line in row:
            if id(line) in used:
                continue
            start = _BRACKETED.match(line.text) or _LEADING_LABEL.match(line.text)
            named = label_at_start(line.key)
            if named and named[0].name != "address":
                continue
            begin = start.end() if start else named[1] if named else 0
            part = line.part(begin, len(line.text))
            if not (start or is_address(line.text)) or find_money(line.text) or len(part.text) < 6:
                continue
            if any(overlaps(part.box, box) for box in known) or re.search(r"[。！]", part.text):
                continue
            following = _continued(sheet, index, line)
            used.update(id(other) for other in following)
            whole = joined([part, *following])
            yield Claim("address", whole.text.strip(), whole, 0.6 if not start else 0.75)


def _continued(sheet: Sheet, index: int, line: Line) -> list[Line]:
    lines: list[Line] = []
    last = line
    for row in sheet.rows[index + 1 : index + 3]:
        following = [other for other in row if abs(other.left - line.left) < 0.8 * line.height]
        near = [o for o in following if o.top - last.bottom < 0.4 * last.height and o.top > last.middle]
        if not near or near[0].height < 0.7 * last.height or near[0].right > line.right + line.height:
            break
        if sheet.is_label(near[0]) or find_personal(near[0].text) or last.right < 0.7 * line.right:
            break
        lines.append(near[0])
        last = near[0]
    return lines


def split_recipient(value: Line, lines: list[Line]) -> Iterator[Claim]:
    """The value of an address label: the recipient, the phone and the address that it may hold together."""
    rest: list[Line] = []
    for position, line in enumerate(lines):
        found = [p for p in find_personal(line.text) if p.name == "phone"]
        if found:
            yield Claim("phone", found[0].value, line.part(found[0].start, found[0].end), 0.9)
            names = list(_name_beside(line, found[0]))
            yield from names
            if not names and (part := line.part(found[0].end, len(line.text))).text:
                rest.append(part)
        elif position == 0 and len(lines) > 1 and is_person(line.text) and not re.search(r"\d", line.text):
            yield Claim("person", line.text.strip(), line, 0.85)
        else:
            rest.append(line)
    if rest:
        whole = joined(rest)
        if len(whole.text.strip()) >= 4:
            yield Claim("address", whole.text.strip(" ,，"), whole, 0.9)
