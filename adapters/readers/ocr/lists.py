"""Lists: which lines make one row or card."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from adapters.readers.ocr.claims import Locale
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.items import price_of
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import label_at_end, label_at_start, regex, squeeze, words
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.sentences import passages, sentence_claims
from adapters.readers.ocr.statuses import is_tab_row, status_in
from adapters.readers.ocr.times import Time


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a list of charges: its lines, its amount, and the day of the header that it stands under."""

    lines: tuple[Line, ...]
    price: Line
    money: Money
    day: Time | None
    year: str | None


def charge_entries(sheet: Sheet, locale: Locale) -> list[Entry]:
    """The rows of a list of charges, or nothing if this is none: amounts in a column, names beside them."""
    headers = {
        index
        for index, row in enumerate(sheet.rows)
        if _header_year(row) or (_header_day(row, locale) and not _is_under(sheet, index))
    }
    anchors = [anchor for anchor in _column(sheet) if anchor[0] not in headers]
    if len(anchors) < 2:
        return []
    places = [index for index, _, _ in anchors]
    starts = [_start(sheet, a, b, headers) for a, b in pairwise(places)]
    above = min((b - start for start, b in zip(starts, places[1:], strict=True)), default=0)
    first = max([places[0] - above, *(index + 1 for index in headers if index < places[0])])
    starts.insert(0, max(0, first))
    entries: list[Entry] = []
    day: Time | None = None
    year: str | None = None
    for number, (index, price, money) in enumerate(anchors):
        for row in sheet.rows[places[number - 1] if number else 0 : index]:
            year = _header_year(row) or year
        for above in sorted(headers & set(range(places[number - 1] if number else 0, index))):
            day = _header_day(sheet.rows[above], locale) or day
        last = starts[number + 1] if number + 1 < len(starts) else len(sheet.rows)
        lines = [line for row in sheet.rows[starts[number] : index + 1] for line in row]
        bottom = price.bottom
        for offset, row in enumerate(sheet.rows[index + 1 : last], index + 1):
            if row[0].top - bottom > 1.6 * price.height or offset in headers:
                break
            lines += row
            bottom = max(line.bottom for line in row)
        entries.append(Entry(tuple(lines), price, money, day, year))
    return entries


def _is_under(sheet: Sheet, index: int) -> bool:
    """A day that stands close under a name belongs to it and heads nothing."""
    if index == 0:
        return False
    row, over = sheet.rows[index], sheet.rows[index - 1]
    aligned = any(abs(line.left - row[0].left) < 0.6 * row[0].height for line in over)
    above = row[0].top - max(line.bottom for line in over)
    below = sheet.rows[index + 1][0].top - row[0].bottom if index + 1 < len(sheet.rows) else row[0].height
    return aligned and above < 0.6 * below


def are_dated(entries: Sequence[Entry], locale: Locale) -> bool:
    """Whether rows tell when: a list of prices does not."""
    own = sum(any(locale.times(line.text) for line in entry.lines) for entry in entries)
    days = {entry.day.iso for entry in entries if entry.day}
    return 2 * own >= len(entries) or len(days) > 1 or any(entry.year for entry in entries)


def _start(sheet: Sheet, previous: int, anchor: int, headers: set[int]) -> int:
    """The row that the entry of an anchor begins with: after a header, else after the widest gap."""
    between = [index + 1 for index in headers if previous < index < anchor]
    return max(between) if between else widest_gap(sheet, previous, anchor)


def _column(sheet: Sheet) -> list[tuple[int, Line, Money]]:
    """Amounts that share an edge, each with a name in its row, or in the one over it, that is no label."""
    found: list[tuple[int, Line, Money]] = []
    for index, row in enumerate(sheet.rows):
        for price in row:
            if (money := price_of(price)) is None:
                continue
            named = any(
                _is_bare_label(sheet, line) or _ends_in_label(line) for line in row if line is not price
            )
            if _beside(sheet, price) and not named:
                found.append((index, price, money))
    room = 0.03 * sheet.width
    columns = [
        [anchor for anchor in found if abs(_edge(anchor[1], right) - _edge(price, right)) <= room]
        for right in (True, False)
        for _, price, _ in found
        if not right or price.left > 0.45 * sheet.width
    ]
    column = max(columns, key=len, default=[])
    return list({anchor[0]: anchor for anchor in column}.values())


def _is_bare_label(sheet: Sheet, line: Line) -> bool:
    """A label that waits for its value; 退款：LOOMWEAR has one."""
    start = label_at_start(line.key)
    return id(line) in sheet.labels or (start is not None and not line.text[start[1] :].strip())


def _ends_in_label(line: Line) -> bool:
    """共1件 实付: what comes next is the amount of a label."""
    found = label_at_end(line.key)
    return found is not None and found[0].name in ("amount", "_subtotal", "_fee", "discount")


def _beside(sheet: Sheet, price: Line) -> bool:
    """Whether something stands at a price's side, if not quite in its row."""
    return any(
        len(line.text) > 1
        and abs(line.middle - price.middle) < 0.9 * price.height
        and (line.right <= price.left or price.right <= line.left)
        for line in sheet.lines
    )


def _edge(line: Line, right: bool) -> int:
    return line.right if right else line.left


_MONTH = regex("lists.month")
_NUMBER_SHAPE = regex("unlabelled.number_shape")
_OF_A_TIME = regex("lists.of_a_time")


def _header_year(row: Sequence[Line]) -> str | None:
    """The year of a month's header: 2025年12月, December 2025."""
    for line in row:
        if match := _MONTH.match(line.key.strip()):
            return match[1] or match[2]
    return None


def _header_day(row: Sequence[Line], locale: Locale) -> Time | None:
    if any(find_money(line.text) and len(row) == 1 for line in row) or len(row[0].text) > 24:
        return None
    times = locale.times(row[0].text)
    if len(times) != 1 or times[0].day is None or times[0].clock is not None:
        return None
    rest = _OF_A_TIME.sub("", row[0].key[: times[0].start] + row[0].key[times[0].end :])
    return times[0] if len(re.sub(r"[\W_]", "", rest)) <= 2 else None


def order_cards(sheet: Sheet) -> list[Sheet]:
    """The cards of a list of orders: each begins with a row that says the order's status at the right."""
    starts = [
        index
        for index, row in enumerate(sheet.rows)
        if len(row) >= 2 and not is_tab_row(row) and _says_status(row[-1], sheet)
    ]
    return _split(sheet, starts)


def status_cards(sheet: Sheet) -> list[Sheet]:
    """Cards that each say somewhere how far an order has got: Mar 18 · Completed. Cut at the widest gaps."""
    rows = [
        index
        for index, row in enumerate(sheet.rows)
        if not is_tab_row(row) and any(_is_state(line) for line in row)
    ]
    if len(rows) < 2:
        return []
    starts = [widest_gap(sheet, 0, rows[0]) if rows[0] else 0]
    starts += [widest_gap(sheet, previous, current) for previous, current in pairwise(rows)]
    return _split(sheet, starts)


def _is_state(line: Line) -> bool:
    found = [status_in(part.strip(), "order_status") for part in re.split(r"[·|,，;；]", line.key)]
    return any(state and state[1] > 0.8 for state in found)


def _says_status(line: Line, sheet: Sheet) -> bool:
    found = status_in(line.key, "order_status")
    return bool(found and found[1] >= 0.7 and line.right > 0.75 * sheet.width)


_MARKERS = frozenset(
    {
        "amount",
        "_amount",
        "charged_at",
        "_time",
        "order_no",
        "ordered_at",
        "transaction_no",
        "payment_method",
        "merchant",
    }
)


_HEADING = 16
"""Characters of a message's own title, which may stand between its time and its text."""


def message_cards(sheet: Sheet, locale: Locale) -> list[Sheet]:
    """Messages that each tell of money that went out or came back, as a bank's do, with the time over each."""
    found: list[Sheet] = []
    header: list[Line] = []
    for passage in passages(sheet.lines):
        lines = [line for _, line in passage.lines]
        told = {c.name for c in sentence_claims(lines, locale)} if len(passage.text) > 12 else set()
        if told & {"amount", "refund_amount"}:
            found.append(Sheet([*header, *lines], sheet.width, sheet.height))
        if is_timestamp(passage.text, locale):
            header = lines
        elif told or len(passage.text) > _HEADING:
            header = []
    return found if len(found) >= 2 and len(sheet.labels) <= 2 else []


def is_timestamp(text: str, locale: Locale) -> bool:
    """Whether a text is a day, perhaps with a time of day, and hardly anything else."""
    times = [time for time in locale.times(text) if time.day]
    if len(times) != 1:
        return False
    rest = _OF_A_TIME.sub("", fold(text[: times[0].start] + text[times[0].end :]))
    return len(re.sub(r"[\W_]", "", rest)) <= 2


def _label_of(sheet: Sheet, line: Line) -> tuple[str, str] | None:
    """What a line's label means and says, whether its value stands beside it or in the same line."""
    if meaning := sheet.labels.get(id(line)):
        return meaning.name, squeeze(line.key.strip(" :"))
    if start := label_at_start(line.key):
        return start[0].name, squeeze(line.key[: start[1]].strip(" :"))
    return None


def repeated_cards(sheet: Sheet) -> list[Sheet]:
    """Cards that show the same labels again and again, as a service account's notices do."""
    names = [
        (index, *named)
        for index, row in enumerate(sheet.rows)
        for line in row[:1]
        if (named := _label_of(sheet, line)) and not named[0].startswith("_note")
    ]
    counts = Counter(text for _, name, text in names if name in _MARKERS)
    if not counts or counts.most_common(1)[0][1] < 2:
        return []
    marker = counts.most_common(1)[0][0]
    rows = [index for index, _, text in names if text == marker]
    starts = [0]
    for previous, current in pairwise(rows):
        starts.append(widest_gap(sheet, previous, current))
    return _split(sheet, starts)


def widest_gap(sheet: Sheet, start: int, end: int) -> int:
    gaps = {
        index: sheet.rows[index][0].top - max(line.bottom for line in sheet.rows[index - 1])
        for index in range(start + 1, end + 1)
    }
    return max(gaps, key=lambda index: gaps[index])


def _split(sheet: Sheet, starts: list[int]) -> list[Sheet]:
    if len(starts) < 2:
        return []
    cards = []
    for start, end in zip(starts, [*starts[1:], len(sheet.rows)], strict=True):
        lines = [line for row in sheet.rows[start:end] for line in row]
        cards.append(Sheet(lines, sheet.width, sheet.height))
    return cards


def parcel_cards(sheet: Sheet) -> list[Sheet]:
    """Several parcels: each has its carrier and number in a row, and says how it stands."""
    marked = [index for index, row in enumerate(sheet.rows) if _bears_a_parcel_number(row)]
    if len(marked) < 2:
        return []
    starts = [0, *(widest_gap(sheet, previous, current) for previous, current in pairwise(marked))]
    cards = _split(sheet, starts)
    told = [card for card in cards if any(status_in(line.key, "shipment_status") for line in card.lines)]
    return cards if len(told) == len(cards) else []


def _bears_a_parcel_number(row: Sequence[Line]) -> bool:
    named = words("carriers").search(row[0].key) and re.search(r"[a-z]{0,4}\d{9,}", squeeze(_text(row)))
    return bool(named or any(_NUMBER_SHAPE.search(line.text) for line in row))


def _text(row: Sequence[Line]) -> str:
    return " ".join(line.key for line in row)


def agreement_cards(sheet: Sheet) -> list[Sheet]:
    """Subscriptions in a list, each headed by its name and, at the right, by whether it runs."""
    starts = [
        index
        for index, row in enumerate(sheet.rows)
        if len(row) >= 2 and row[-1].right > 0.75 * sheet.width and _says_whether_it_runs(row[-1])
    ]
    return _split(sheet, starts)


def _says_whether_it_runs(line: Line) -> bool:
    found = status_in(line.key, "auto_renewal")
    return bool(found and found[1] > 0.8)


_RENEWS = regex("lists.renews")
_PAST = re.compile(r"记录|历史|history|确认|确定|\?|？")


def subscription_cards(sheet: Sheet) -> list[Sheet]:
    """Several subscriptions: blocks set apart by space, each of which says when it renews or ends."""
    if not sheet.rows:
        return []
    starts = [0]
    for index in range(1, len(sheet.rows)):
        bottom = max(line.bottom for line in sheet.rows[index - 1])
        if sheet.rows[index][0].top - bottom > 1.1 * sheet.usual_height:
            starts.append(index)
    blocks = _split(sheet, starts)
    cards = [
        block
        for block in blocks
        if len(block.rows) >= 3
        and any(_RENEWS.search(line.key) and not _PAST.search(line.key) for line in block.lines)
        and not block.labels
        and block.lines[0].top > 0.08 * sheet.height
    ]
    return cards if len(cards) >= 2 else []
