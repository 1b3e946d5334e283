"""Tables: a row of column heads, and under it rows whose cells mean what their heads say."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from adapters.readers.ocr.claims import Claim, Locale
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import load, regex, squeeze
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.lists import widest_gap
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.sentences import without_gateway
from adapters.readers.ocr.statuses import STATUS_OF_PAGE, status_in
from adapters.readers.ocr.times import Time
from bot.domain.vocabulary import Page

_NOTE = re.compile(r"[(\[]([^)\]]{1,12})[)\]]$")
_PITCH = 4.5
"""How far apart two rows may be, in heights of the heads."""
_ORDER = regex("tables.order_no")
_TRANSACTION = regex("tables.transaction_no")
_KIND = regex("tables.kind")
_SETTLED = regex("tables.settled")
_BACK = re.compile(r"退款|退货|冲正|refund|reversal|\bcr\b")


@dataclass(frozen=True, slots=True)
class Column:
    """``unit`` is the currency in the head's note: 金额(HKD)."""

    meaning: str
    head: Line
    unit: str | None


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[Mapping[int, Line], ...]
    """Each row's cells, by the place of their column."""


@cache
def _heads() -> Mapping[str, str]:
    return {squeeze(str(word)): meaning for meaning, words in load("tables.yml").items() for word in words}


def _column(line: Line, locale: Locale) -> Column | None:
    key = line.key.strip(" :↓↑▲▼")
    note = _NOTE.search(key)
    meaning = _heads().get(squeeze(key)) or (_heads().get(squeeze(key[: note.start()])) if note else None)
    if meaning is None:
        return None
    moneys = find_money(f"1 {note[1]}" if note else f"1{key}", loose=True)
    return Column(meaning, line, locale.unit(moneys[0]) if moneys else None)


def find_table(sheet: Sheet, locale: Locale) -> Table | None:
    """The first table that has a column of amounts and one more that tells one row from another."""
    for index, row in enumerate(sheet.rows[:-1]):
        columns = [column for line in row if (column := _column(line, locale))]
        meanings = {column.meaning for column in columns}
        if len(columns) < 3 or len(columns) < len(row) - 1 or not meanings & {"amount", "_income"}:
            continue
        if not meanings & {"_date", "order_no", "_posted"} or _is_repeated(columns, sheet):
            continue
        if rows := tuple(_rows(sheet, index, columns)):
            return Table(tuple(columns), rows)
    return None


def _is_repeated(columns: Sequence[Column], sheet: Sheet) -> bool:
    """Heads that stand over every card of a list make no table."""
    keys = {column.head.key for column in columns}
    return sum(1 for line in sheet.lines if line.key in keys) > len(columns) + 1


def _rows(sheet: Sheet, head: int, columns: Sequence[Column]) -> Iterator[Mapping[int, Line]]:
    """A row around each amount, cut from the next at the widest gap; a cell may hold several lines."""
    anchors, last = [], head
    for index in range(head + 1, len(sheet.rows)):
        row, over = sheet.rows[index], sheet.rows[last]
        if row[0].top - max(line.bottom for line in over) > _PITCH * columns[0].head.height:
            break
        last = index
        if any(_is_amount(columns, line, sheet.width) for line in row):
            anchors.append(index)
    starts = [head + 1, *(widest_gap(sheet, *pair) for pair in pairwise(anchors))]
    for start, end in pairwise([*starts, last + 1]):
        if not anchors:
            return
        cells: dict[int, list[Line]] = {}
        bottom = sheet.rows[start][0].bottom
        for row in sheet.rows[start:end]:
            if row[0].top - bottom > 1.6 * row[0].height:
                break  # what stands under the table
            bottom = max(line.bottom for line in row)
            for line in row:
                cells.setdefault(_place(line, columns, sheet.width), []).append(line)
        yield {place: joined(lines, " ") for place, lines in cells.items()}


def _is_amount(columns: Sequence[Column], line: Line, width: int) -> bool:
    place = _place(line, columns, width)
    return place >= 0 and columns[place].meaning in ("amount", "_income") and _digits(line)


def _digits(line: Line) -> bool:
    return bool(find_money(line.text, loose=len(line.text) < 12))


def _place(line: Line, columns: Sequence[Column], width: int) -> int:
    """The column whose head a cell is aligned with, at the left, at the right or in the middle; -1 if none."""
    distances = [
        min(
            abs(line.left - column.head.left),
            abs(line.right - column.head.right),
            abs(line.left + line.right - column.head.left - column.head.right) // 2,
        )
        for column in columns
    ]
    nearest = min(range(len(columns)), key=lambda place: distances[place])
    return nearest if distances[nearest] < 0.09 * width else -1


def table_claims(table: Table, page: Page, locale: Locale) -> Iterator[Claim]:
    """The facts of every row, a group each."""
    moneys = [money for cells in table.rows for money in _amounts(table, cells)]
    usual = Counter(money.sign == "-" for money in moneys).most_common(1)
    out = "-" if usual and usual[0][0] else ""
    for group, cells in enumerate(table.rows):
        text = fold(" ".join(line.text for line in cells.values()))
        if _SETTLED.search(text):
            continue
        for claim in _row_claims(table, cells, page, locale, bool(_BACK.search(text)), out):
            yield Claim(claim.name, claim.value, claim.line, claim.score, claim.unit, group)


def _amounts(table: Table, cells: Mapping[int, Line]) -> Iterator[Money]:
    for place, line in cells.items():
        if place >= 0 and table.columns[place].meaning == "amount":
            yield from find_money(line.text, loose=True)[:1]


def _row_claims(
    table: Table, cells: Mapping[int, Line], page: Page, locale: Locale, back: bool, out: str
) -> Iterator[Claim]:
    """``out`` is the sign that the table's charges have: what has the other one came in."""
    incoming, said_amount = back, False
    names: list[Claim] = []
    for place, line in cells.items():
        if place < 0:
            yield from _numbers(line)
            continue
        column = table.columns[place]
        if column.meaning in ("amount", "_income") and (found := find_money(line.text, loose=True)):
            money = found[0]
            came_in = money.sign == "+" or (money.sign == "-" and not out) or column.meaning == "_income"
            given_back = back or came_in
            incoming = incoming or given_back
            if page == "order_list":
                given_back = False  # the order's total, given back or not
            elif given_back and not back:
                continue  # money that came in is nothing given back
            name = "refund_amount" if given_back else "amount"
            said_amount = True
            unit = locale.unit(money) or column.unit
            yield Claim(name, money.value, line.part(money.start, money.end), 0.9, unit)
        elif column.meaning == "_status":
            yield from _states(line, page)
        elif column.meaning == "order_no" and (
            number := re.search(r"[A-Za-z0-9][A-Za-z0-9-]{2,}", line.text)
        ):
            yield Claim("order_no", number[0], line.part(*number.span()), 0.9)
        elif column.meaning == "transaction_no" and sum(c.isdigit() for c in line.text) >= 4:
            yield Claim("transaction_no", re.sub(r"\s", "", line.text), line, 0.9)
        elif column.meaning in ("merchant", "plan", "product", "payment_method"):
            names += _name(column.meaning, line)
    if not said_amount:
        return
    yield from names
    if time := _moment(table, cells, locale):
        name = "ordered_at" if page == "order_list" else "refunded_at" if incoming else "charged_at"
        yield Claim(name, time[1].iso or "", time[0], 0.9)


def _numbers(line: Line) -> Iterator[Claim]:
    """The numbers that stand with their labels in a column without a known head."""
    for name, words in (("order_no", _ORDER), ("transaction_no", _TRANSACTION)):
        if match := words.search(line.text):
            yield Claim(name, match["it"], line.part(*match.span("it")), 0.8)


def _name(meaning: str, line: Line) -> Iterator[Claim]:
    start = _KIND.match(line.text)
    part = line.part(start.end(), len(line.text)) if start and start.end() < len(line.text) else line
    part = without_gateway(part)
    if re.search(r"[A-Za-z\u4e00-\u9fff]{2}", part.text):
        yield Claim(meaning, part.text.strip(), part, 0.85)


def _states(line: Line, page: Page) -> Iterator[Claim]:
    for fact in STATUS_OF_PAGE.get(page, ()):
        if (found := status_in(line.key, fact)) and found[1] > 0.4:
            stronger = 0.05 if found[0] not in ("paid", "completed") else 0.0
            yield Claim(fact, found[0], line, 0.8 + stronger)


def _moment(table: Table, cells: Mapping[int, Line], locale: Locale) -> tuple[Line, Time] | None:
    """The day of a row, with the time of day that may stand in a column of its own."""
    day: tuple[Line, Time] | None = None
    clock: Time | None = None
    for wanted in ("_date", "_posted"):
        for place, line in cells.items():
            if place < 0 or table.columns[place].meaning != wanted:
                continue
            for time in locale.times(line.text):
                if time.day and day is None:
                    day = line.part(time.start, time.end), time
                elif time.day is None and clock is None:
                    clock = time
        if day:
            break
    if day and clock and day[1].clock is None:
        return day[0], Time(day[1].day, clock.clock, day[1].start, day[1].end)
    return day
