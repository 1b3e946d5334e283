"""Labels and their values: in one line, side by side, one above the other."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters.readers.ocr.lexicon import Meaning, label, label_at_start, says_a_status
from adapters.readers.ocr.lines import Line, joined, rows_of
from adapters.readers.ocr.money import find_money

_ARROW = re.compile(r"^[>›»→﹥＞)\]]+$")


@dataclass(frozen=True, slots=True)
class Pair:
    """A label and the line (or lines, joined) that hold its value. ``how``: inline, right, below or above."""

    meaning: Meaning
    label: Line
    value: Line
    how: str
    lines: tuple[Line, ...] = ()
    """The lines that make up the value, where it is wrapped."""
    close: bool = False
    """Whether a value below stands nearer to its label than to what follows."""


@dataclass(slots=True)
class Sheet:
    """A page's lines, or those of one card, with what is known about where they stand."""

    lines: list[Line]
    width: int
    height: int
    rows: list[list[Line]] = field(init=False)
    labels: dict[int, Meaning] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = rows_of(self.lines)
        self.lines = [line for row in self.rows for line in row]
        self.labels = {id(line): found for line in self.lines if (found := label(line.key))}
        for row, below in zip(self.rows, [*self.rows[1:], []], strict=False):
            self._drop_guesses(row, below)

    def _drop_guesses(self, row: list[Line], below: list[Line]) -> None:
        """What only looks like a label is none where a label's value stands, or where it says a status."""
        for place, line in enumerate(row):
            meaning = self.labels.get(id(line))
            if meaning is None or not meaning.guessed:
                continue
            last = self.labels.get(id(row[place - 1])) if place else None
            in_place_of_value = last and not last.guessed and place == len(row) - 1
            if (in_place_of_value and not _aligned_under(line, below)) or says_a_status(line.key):
                del self.labels[id(line)]

    def is_label(self, line: Line) -> bool:
        return id(line) in self.labels or label_at_start(line.key) is not None

    @property
    def usual_height(self) -> float:
        heights = sorted(line.height for line in self.lines)
        return heights[len(heights) // 2] if heights else 0.0


def find_pairs(sheet: Sheet) -> list[Pair]:
    """Every label with every place where its value may stand, the likeliest place of each first."""
    return [pair for index, row in enumerate(sheet.rows) for pair in _row_pairs(sheet, index, row)]


def _in_column(sheet: Sheet, index: int, name: Line) -> list[Line]:
    """The value under a label that heads a column: the row's others have theirs under them too."""
    heads = [line for line in sheet.rows[index] if sheet.is_label(line)]
    if index + 1 >= len(sheet.rows) or len(heads) < 2:
        return []
    under = {id(line): _aligned_under(line, sheet.rows[index + 1]) for line in sheet.rows[index]}
    mine = under[id(name)]
    if mine is None or sheet.is_label(mine) or sum(1 for line in under.values() if line) < 2:
        return []
    lines = [mine]
    for row in sheet.rows[index + 2 : index + 6]:
        following = [line for line in row if abs(line.left - mine.left) < 0.6 * mine.height]
        if not following or sheet.is_label(following[0]) or not _continues(lines[-1], mine, following[0]):
            break
        lines.append(following[0])
    return lines


def _aligned_under(name: Line, row: list[Line]) -> Line | None:
    for line in row:
        aligned = (
            abs(line.left - name.left) < 0.6 * name.height or abs(line.right - name.right) < 0.6 * name.height
        )
        if aligned and line.top - name.bottom < 1.3 * max(name.height, line.height):
            return line
    return None


def _row_pairs(sheet: Sheet, index: int, row: list[Line]) -> Iterator[Pair]:
    for place, line in enumerate(row):
        if (start := label_at_start(line.key)) and line.text[start[1] :].strip():
            meaning, end = start
            name = line.part(0, end)
            lines = _wrapped(sheet, index, line, line.part(end, len(line.text)))
            yield Pair(meaning, name, joined(lines), "inline", tuple(lines))
            continue
        meaning_of = sheet.labels.get(id(line)) or (start[0] if start else None)
        if meaning_of is None:
            continue
        rest = row[place + 1 :]
        if column := _in_column(sheet, index, line):
            yield Pair(meaning_of, line, joined(column), "column", tuple(column))
            continue
        yield from _beside(sheet, index, line, rest, meaning_of)
        yield from _under(sheet, index, line, meaning_of)


def _beside(sheet: Sheet, index: int, name: Line, rest: Sequence[Line], meaning: Meaning) -> Iterator[Pair]:
    values: list[Line] = []
    for line in rest:
        if sheet.is_label(line):
            break
        if not _ARROW.match(line.text):
            values.append(line)
    if not values and not rest:
        values = _astride(sheet, index, name)
        if values:
            yield Pair(meaning, name, joined(values), "right", tuple(values))
        return
    if len(values) > 1 and not any(find_money(line.text) for line in values):
        yield Pair(meaning, name, joined(values, " "), "right", tuple(values))
    for line in values:
        lines = _wrapped(sheet, index, line, line)
        yield Pair(meaning, name, joined(lines), "right", tuple(lines))


def _astride(sheet: Sheet, index: int, name: Line) -> list[Line]:
    """The lines of a tall value whose label stands beside its middle."""
    near = [
        line
        for row in sheet.rows[max(0, index - 1) : index] + sheet.rows[index + 1 : index + 2]
        if not any(sheet.is_label(other) for other in row) and len(row) == 1
        for line in row
        if line.left > name.right and abs(line.middle - name.middle) < 1.1 * name.height
    ]
    return near if len(near) == 2 else []


def _under(sheet: Sheet, index: int, name: Line, meaning: Meaning) -> Iterator[Pair]:
    for offset, how in ((1, "below"), (-1, "above")):
        other = index + offset
        if not 0 <= other < len(sheet.rows):
            continue
        for line in sheet.rows[other]:
            gap = line.top - name.bottom if offset == 1 else name.top - line.bottom
            if sheet.is_label(line) or gap > 1.6 * max(name.height, line.height):
                continue
            shared = min(line.right, name.right) - max(line.left, name.left)
            if shared > 0.3 * min(line.right - line.left, name.right - name.left):
                lines = _wrapped(sheet, other, line, line) if offset == 1 else [line]
                close = offset == 1 and gap < 0.6 * _gap_below(sheet, other, lines[-1])
                yield Pair(meaning, name, joined(lines), how, tuple(lines), close)


def _gap_below(sheet: Sheet, index: int, line: Line) -> float:
    following = [
        other.top for row in sheet.rows[index + 1 : index + 5] for other in row if other.top > line.middle
    ]
    return min(following) - line.bottom if following else float(sheet.height)


def _wrapped(sheet: Sheet, index: int, whole: Line, value: Line) -> list[Line]:
    """A value with the lines that it runs on to: alike, close, aligned, and nobody else's."""
    lines = [value]
    last = whole
    for row in sheet.rows[index + 1 : index + 4]:
        column = [
            line for line in row if line.left < max(whole.right, value.right) and line.right > whole.left
        ]
        if not column:
            continue  # of another column
        nexts = [line for line in column if _continues(last, value, line)]
        if len(nexts) != 1 or any(sheet.is_label(line) for line in column):
            break
        if any(line.right <= nexts[0].left and line is not nexts[0] for line in row):
            break  # something stands at the left, where labels stand
        lines.append(nexts[0])
        last = nexts[0]
    return lines


def _continues(last: Line, value: Line, line: Line) -> bool:
    close = line.top - last.bottom < 0.45 * last.height and line.top > last.middle
    alike = 0.85 < line.height / max(1, last.height) < 1.18 and abs(line.strength - last.strength) < 60
    tolerance = 0.8 * line.height
    aligned = abs(line.left - value.left) < tolerance or abs(line.right - last.right) < tolerance
    return close and alike and aligned and line.left < value.right and not find_money(line.text)
