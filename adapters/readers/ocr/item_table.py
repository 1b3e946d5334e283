"""The table of goods on an invoice, a receipt or an order: a row of heads, and a row for each item."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from adapters.readers.ocr.claims import Claim, Locale
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import load, regex, squeeze
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import Money, find_money, stated_unit
from bot.domain.vocabulary import Page

_NOTE = re.compile(r"[(（\[].*$")
_SCORE = 0.92
_SUBSCRIBED = regex("item_table.subscribed")


@dataclass(frozen=True, slots=True)
class ItemTable:
    """``columns``: what the heads mean. ``rows``: each item's cells by column, wrapped lines joined."""

    columns: tuple[tuple[str, Line], ...]
    rows: tuple[Mapping[str, Line], ...]
    lines: tuple[Line, ...]
    """All that the table is made of, heads included."""

    def rest_of(self, sheet: Sheet) -> Sheet:
        """The page without its table."""
        mine = {id(line) for line in self.lines}
        return Sheet([line for line in sheet.lines if id(line) not in mine], sheet.width, sheet.height)


@cache
def _heads() -> Mapping[str, str]:
    return {squeeze(str(word)): name for name, words in load("item_heads.yml").items() for word in words}


def _head(line: Line) -> str | None:
    text = squeeze(_NOTE.sub("", line.key).strip(" :."))
    near = get_close_matches(text, _heads(), 1, 0.85) if len(text) > 6 else []
    return _heads().get(text) or (_heads()[near[0]] if near else None)


def find_item_table(sheet: Sheet) -> ItemTable | None:
    """The first table whose heads name goods and what they cost."""
    for index, row in enumerate(sheet.rows[:-1]):
        columns = [(name, line) for line in row if (name := _head(line))]
        names = {name for name, _ in columns}
        if "product" not in names or not names & {"price", "total"} or len(names) < 2:
            continue
        if len(columns) < max(2, len(row) - 1) or (len(names) == 2 and "quantity" in names):
            continue
        rows, lines = _rows(sheet, index, columns)
        if rows:
            return ItemTable(tuple(columns), tuple(rows), (*row, *lines))
    return None


def _rows(
    sheet: Sheet, head: int, columns: Sequence[tuple[str, Line]]
) -> tuple[list[dict[str, Line]], list[Line]]:
    rows: list[dict[str, Line]] = []
    lines: list[Line] = []
    bottom = max(line.bottom for line in sheet.rows[head])
    for row in sheet.rows[head + 1 :]:
        if min(line.top for line in row) - bottom > 3.2 * columns[0][1].height:
            break
        cells = _cells(row, columns)
        if "product" in cells and sheet.is_label(cells["product"]):
            break  # the totals under it
        if "product" in cells and _money(cells) is not None:
            rows.append(cells)
        elif rows and set(cells) == {"product"} and len(row) == 1 and not sheet.is_label(row[0]):
            rows[-1]["product"] = joined([rows[-1]["product"], cells["product"]])
        else:
            break
        lines += row
        bottom = max(line.bottom for line in row)
    return rows, lines


def _cells(row: Sequence[Line], columns: Sequence[tuple[str, Line]]) -> dict[str, Line]:
    cells: dict[str, Line] = {}
    for line in row:
        name = min(columns, key=lambda column: _distance(line, column[1]))[0]
        cells[name] = joined([cells[name], line], " ") if name in cells else line
    return cells


def _distance(line: Line, head: Line) -> float:
    """Cells share their head's left edge, right edge or middle."""
    middle = abs(line.left + line.right - head.left - head.right) / 2
    return min(abs(line.left - head.left), abs(line.right - head.right), middle)


def _money(cells: Mapping[str, Line]) -> tuple[Line, Money] | None:
    for name in ("price", "total"):
        line = cells.get(name)
        if line is not None and (found := find_money(line.text, loose=True)):
            return line, found[0]
    return None


def item_table_claims(table: ItemTable, page: Page, locale: Locale) -> Iterator[Claim]:
    units = {name: stated_unit(head.text) for name, head in table.columns}
    stated = next((unit for unit in units.values() if unit), None)
    for row in table.rows:
        title = row["product"]
        if page == "receipt" and _SUBSCRIBED.search(title.key):
            yield Claim("plan", title.text.strip(), title, _SCORE)
            continue
        yield Claim("product", title.text.strip(), title, _SCORE)
        if (found := _money(row)) is not None:
            line, money = found
            price = line.part(money.start, money.end)
            yield Claim("item_price", money.value, price, _SCORE, locale.unit(money) or stated)
        off = row.get("discount")
        taken_off = find_money(off.text) if off is not None else []
        if off is not None and taken_off and taken_off[-1].decimal > 0:
            last = taken_off[-1]
            place = off.part(last.start, last.end)
            yield Claim("discount", last.value, place, _SCORE, locale.unit(last) or stated)
