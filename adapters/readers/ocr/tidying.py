"""Lines made ready to be understood: the phone's own bar left out, amounts whole, each label in its own line."""

import re
from collections.abc import Sequence
from dataclasses import replace

from adapters.readers.ocr.lexicon import label, label_at_start
from adapters.readers.ocr.lines import Line, joined, rows_of
from adapters.readers.ocr.money import CURRENCIES, find_money

_BAR = 0.055
"""The share of a tall picture's height that the phone's status bar stays within."""
_CLOCK = re.compile(r"^\W{0,2}\d{1,2}:\d{2}(?!:)\b")
_FIGURE = re.compile(r"^[-+−–]?\s?\d[\d,]*(?:\.\d{1,2})?$")
_CARD = re.compile(
    r"^(?:visa|master\s?card|amex|american express|jcb|discover|unionpay|debit(?: card)?|credit(?: card)?)$"
)
_LAST_FIGURES = re.compile(r"^\d{4}$")
_HIDDEN = " •••• "
_BEFORE_LABEL = re.compile(r"(?<=[\s·|,，;；、)）])(?=\S)")


def tidied(lines: Sequence[Line], width: int, height: int) -> list[Line]:
    """The lines in reading order."""
    rows = rows_of(lines)
    if rows and height > 1.2 * width and _is_status_bar(rows[0], height):
        rows = rows[1:]
    whole = _with_units([line for row in rows for line in _touching(row)])
    return [piece for line in _cards_whole(whole) for piece in labels_apart(line)]


def _is_status_bar(row: Sequence[Line], height: int) -> bool:
    within = all(line.bottom < _BAR * height for line in row)
    return (
        within and any(_CLOCK.match(line.text) for line in row) and all(len(line.text) < 12 for line in row)
    )


def _touching(row: Sequence[Line]) -> list[Line]:
    """Parts of one line that the detector took for several: alike, and their boxes overlap."""
    whole: list[Line] = []
    for line in row:
        last = whole[-1] if whole else None
        if last is not None and _is_one(last, line):
            text = f"{last.text} {line.text}"
            gap = (last.right + line.left) / 2
            whole[-1] = replace(
                joined([last, line], " "), text=text, places=(*last.places, gap, *line.places)
            )
            continue
        whole.append(line)
    return whole


def _is_one(last: Line, line: Line) -> bool:
    alike = 0.85 < line.height / max(1, last.height) < 1.18 and abs(line.strength - last.strength) < 40
    return (
        line.left - last.right < -0.15 * line.height
        and alike
        and label(last.key) is None
        and len(last.places) == len(last.text)
        and len(line.places) == len(line.text)
        and not (find_money(last.text) and find_money(line.text))
    )


def _with_units(lines: Sequence[Line]) -> list[Line]:
    """A currency set in other letters than its figure (large 199.00, small 元) belongs to it."""
    units = [line for line in lines if line.key.strip() in CURRENCIES]
    whole = [line for line in lines if line not in units]
    for unit in units:
        place = next((i for i, line in enumerate(whole) if _is_figure_of(line, unit)), None)
        if place is None:
            whole.append(unit)
            continue
        figure = whole[place]
        parts = sorted((figure, unit), key=lambda line: line.left)
        places = (*parts[0].places, *parts[1].places)
        whole[place] = replace(joined(parts, ""), places=places, strength=figure.strength)
    return whole


def _is_figure_of(line: Line, unit: Line) -> bool:
    if not _FIGURE.match(line.key.strip()):
        return False
    shared = min(line.bottom, unit.bottom) - max(line.top, unit.top)
    gap = max(unit.left - line.right, line.left - unit.right)
    return shared > 0.6 * min(line.height, unit.height) and -0.6 * unit.height < gap < 0.6 * line.height


def _cards_whole(lines: Sequence[Line]) -> list[Line]:
    """A card's kind and its last figures, parted by dots that were not read as letters."""
    whole: list[Line] = []
    for line in lines:
        last = whole[-1] if whole else None
        if last is not None and _CARD.search(last.key) and _LAST_FIGURES.match(line.text):
            beside = abs(line.middle - last.middle) < 0.4 * last.height
            if beside and 0 < line.left - last.right < 3 * last.height:
                gap = (last.right + line.left) / 2
                places = (*last.places, *(gap,) * len(_HIDDEN), *line.places)
                whole[-1] = replace(joined([last, line], _HIDDEN), places=places)
                continue
        whole.append(line)
    return whole


def labels_apart(line: Line) -> list[Line]:
    """Several labels with their values in one line (订单号：1 收款方：2), each for itself; a sentence stays whole."""
    if label_at_start(line.key) is None:
        return [line]
    starts = [0]
    for match in _BEFORE_LABEL.finditer(line.key):
        before = line.key[starts[-1] : match.start()]
        whole = label_at_start(before)
        if whole and before[whole[1] :].strip() and label_at_start(line.key[match.start() :]):
            starts.append(match.start())
    if len(starts) < 2:
        return [line]
    parts = [line.part(start, end) for start, end in zip(starts, [*starts[1:], len(line.text)], strict=True)]
    return [_without_rule(part) for part in parts if part.text]


def _without_rule(line: Line) -> Line:
    """Without the mark that set it apart from the next label."""
    bare = line.text.rstrip(" ·|,，;；、")
    return line.part(0, len(bare))
