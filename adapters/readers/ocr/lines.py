"""Text lines as they stand in the picture: cut at wide gaps, gathered to rows, in reading order."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from adapters.readers.ocr.detector import Image, Quad
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.recogniser import Text
from bot.domain.reading import Box

EM = 0.72
"""A Chinese character's width as a share of the line's box height: the detector leaves some air around it."""
CUT_GAP = 1.1
SPACE_GAP = 0.8


@dataclass(frozen=True)
class Line:
    """A line, or a part of one. ``places``: the characters' middles in pixels."""

    text: str
    box: Box
    confidence: float
    places: tuple[float, ...]
    strength: float = 255.0
    """How far the ink stands out from its ground, 0 to 255: secondary text is paler."""
    struck: bool = False
    """Whether a stroke goes through it, as through an old price."""

    @cached_property
    def key(self) -> str:
        return fold(self.text)

    @property
    def left(self) -> int:
        return self.box[0]

    @property
    def top(self) -> int:
        return self.box[1]

    @property
    def right(self) -> int:
        return self.box[2]

    @property
    def bottom(self) -> int:
        return self.box[3]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> float:
        return (self.box[1] + self.box[3]) / 2

    def part(self, start: int, end: int) -> "Line":
        """The characters from ``start`` to ``end``, without white space around them, and their box."""
        while start < end and self.text[start].isspace():
            start += 1
        while end > start and self.text[end - 1].isspace():
            end -= 1
        if start == 0 and end == len(self.text):
            return self
        if start >= end:
            return replace(self, text="", places=())
        if len(self.places) != len(self.text):
            return replace(self, text=self.text[start:end], places=())  # of wrapped lines: no place inside
        left, right = self.left, self.right
        if start > 0:
            left = round(max(left, self.places[start] - self._width(start) * 0.75))
        if end < len(self.text):
            right = round(min(right, self.places[end - 1] + self._width(end - 1) * 0.75))
        box = (left, self.top, max(right, left + 1), self.bottom)
        return replace(self, text=self.text[start:end], box=box, places=self.places[start:end])

    def _width(self, index: int) -> float:
        return character_width(self.text[index]) * EM * self.height


def character_width(character: str) -> float:
    """In ems: wide for Chinese, about half for the rest."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in "mwMW":
        return 0.85
    return 0.35 if character in ".,:;'|!il " else 0.58


def build_lines(image: Image, quads: Sequence[Quad], texts: Sequence[Text]) -> list[Line]:
    """Lines in reading order. Junk (icons, smudges) is left out by its confidence."""
    lines: list[Line] = []
    for quad, text in zip(quads, texts, strict=True):
        if text.confidence < 0.5 or not text.text.strip():
            continue
        left, top = (int(v) for v in quad.min(axis=0))
        right, bottom = (int(v) for v in np.ceil(quad.max(axis=0)))
        start, end = float(quad[[0, 3], 0].mean()), float(quad[[1, 2], 0].mean())
        places = tuple(start + share * (end - start) for share in text.places)
        printed = unconfused(text.text)
        whole = Line(printed, (left, top, right, bottom), text.confidence, places)
        for piece in _cut(whole):
            lines.extend(_inked(image, price) for price in _prices_apart(piece))
    return [line for row in rows_of(lines) for line in row]


def unconfused(text: str) -> str:
    """Undoes what look-alikes do to English words: a capital I for an l (AIl, DeIivery), a bar for an l."""
    text = re.sub(r"(?<=[A-Za-z])I(?=[a-z])|(?<=[a-z])I(?![A-Za-z])|(?<=[a-z])\|(?=[a-z])", "l", text)
    return re.sub(r"(?<![A-Za-z])l(?=(?:nc|nvoice|tem|D|n)\b)", "I", text)


def _inked(image: Image, line: Line) -> Line:
    left, top, right, bottom = line.box
    crop = image[top:bottom, left:right]
    if not crop.size:
        return line
    step = max(1, crop.shape[0] // 24)
    small = crop[::step, :: max(1, min(step, crop.shape[1] // 80))].astype(np.int16)
    ground = np.median(small.reshape(-1, 3), axis=0)
    distance = np.abs(small - ground).max(axis=2)
    limit = float(np.percentile(distance, 95))
    ink = np.median(small[distance >= limit], axis=0).astype(int)
    strength = float(np.abs(ink - ground).max())
    struck = any(c.isdigit() for c in line.text) and _is_struck(distance > 0.4 * max(20.0, strength))
    return replace(line, strength=strength, struck=struck)


def _is_struck(inked: npt.NDArray[np.bool_]) -> bool:
    """A row in the middle of the letters is ink from end to end."""
    columns = np.flatnonzero(inked.any(axis=0))
    rows = np.flatnonzero(inked.any(axis=1))
    if len(columns) < 8 or len(rows) < 5:
        return False
    letters = inked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height = len(letters)
    middle = letters[round(0.3 * height) : round(0.75 * height)]
    return bool(len(middle) and middle.mean(axis=1).max() > 0.93)


def _prices_apart(line: Line) -> list[Line]:
    """Prices that stand side by side (an old one and a new one, a quantity and a price), each for itself."""
    found = find_money(line.text)
    starts = [money.start for money in found]
    if not found or re.sub(r"[x×\d\s.,]", "", _without(line.text, found)):
        return [line]
    if starts[0] > 0 and line.text[: starts[0]].strip():
        starts.insert(0, 0)
    if len(starts) < 2:
        return [line]
    return [line.part(start, end) for start, end in zip(starts, [*starts[1:], len(line.text)], strict=True)]


def _without(text: str, found: Sequence[Money]) -> str:
    for money in reversed(found):
        text = text[: money.start] + text[money.end :]
    return text.lower()


def _cut(line: Line) -> Iterable[Line]:
    """Cuts at gaps that only a layout makes, and puts back the spaces that the recogniser swallowed."""
    em = line.height * EM
    if len(line.text) < 2 or em <= 0:
        return [line]
    pieces: list[Line] = []
    characters, places, start = [line.text[0]], [line.places[0]], 0
    inked = 0
    for index in range(1, len(line.text)):
        character, place = line.text[index], line.places[index]
        if character.isspace():
            characters.append(character)
            places.append(place)
            continue
        before = line.text[inked]
        widths = (character_width(before) + character_width(character)) / 2
        gap = (place - line.places[inked]) / em - widths
        if gap > CUT_GAP:
            pieces.append(_piece(line, characters, places, start == 0, False))
            characters, places, start = [], [], index
        elif gap > SPACE_GAP and inked == index - 1:
            characters.append(" ")
            places.append((place + line.places[inked]) / 2)
        characters.append(character)
        places.append(place)
        inked = index
    pieces.append(_piece(line, characters, places, start == 0, True))
    return pieces


def _piece(line: Line, characters: list[str], places: list[float], first: bool, last: bool) -> Line:
    while len(characters) > 1 and characters[-1].isspace():
        characters.pop()
        places.pop()
    em = line.height * EM
    left = line.left if first else round(places[0] - em * 0.75 * character_width(characters[0]))
    right = line.right if last else round(places[-1] + em * 0.75 * character_width(characters[-1]))
    box = (left, line.top, max(right, left + 1), line.bottom)
    return replace(line, text="".join(characters), box=box, places=tuple(places))


def rows_of(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines that share a row, left to right; the rows from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        for row in reversed(rows[-3:]):
            if _same_row(row, line):
                row.append(line)
                break
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.left)
    return sorted(rows, key=lambda row: min(line.middle for line in row))


def _same_row(row: list[Line], line: Line) -> bool:
    for other in row:
        shared = min(other.bottom, line.bottom) - max(other.top, line.top)
        if shared < 0.55 * min(other.height, line.height):
            return False
        if min(other.right, line.right) - max(other.left, line.left) > 0.3 * min(
            other.right - other.left, line.right - line.left
        ):
            return False
    return True


def joined(lines: Sequence[Line], separator: str | None = None) -> Line:
    """Wrapped lines as one: the boxes' hull, the least confidence. A space stays between English words."""
    if len(lines) == 1:
        return lines[0]
    boxes = [line.box for line in lines]
    hull = (
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    )
    return replace(
        lines[0],
        text=_text_of(lines, separator),
        box=hull,
        confidence=min(line.confidence for line in lines),
        places=(),
    )


def _text_of(lines: Sequence[Line], separator: str | None) -> str:
    text = lines[0].text
    for line in lines[1:]:
        both_english = text[-1:].isascii() and line.text[:1].isascii()
        text += (" " if both_english else "") if separator is None else separator
        text += line.text
    return text
