"""What is found before it is chosen: a value, where it stands, and how much speaks for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.money import Money
from adapters.readers.ocr.times import Time, find_times
from bot.domain.reading import Box, Fact
from bot.domain.vocabulary import FactName


@dataclass(frozen=True, slots=True)
class Locale:
    """How a page is to be read: its clock, the meaning of its currency signs, the order of day and month."""

    now: datetime
    currencies: dict[str, str]
    day_first: bool = False

    def times(self, text: str, forward: bool = False) -> list[Time]:
        return find_times(text, self.now, forward, self.day_first)

    def unit(self, money: Money) -> str | None:
        return self.currencies.get(money.unit, money.unit) if money.unit else None


@dataclass(frozen=True, slots=True)
class Claim:
    """A fact in the making. ``score`` weighs it against other claims of its name; 1 is a clear label."""

    name: str
    """A FactName, or a name with a leading underscore that the word lists keep for themselves."""
    value: str
    line: Line
    score: float
    unit: str | None = None
    group: int | None = None

    def fact(self) -> Fact:
        return Fact(
            name=cast(FactName, self.name),
            value=self.value,
            unit=self.unit,
            text=self.line.text,
            box=self.line.box,
            confidence=round(max(0.0, min(1.0, self.line.confidence * min(1.0, self.score))), 3),
            group=self.group,
        )


def overlaps(a: Box, b: Box) -> bool:
    """Whether two boxes share a good part of the smaller one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height > 0.5 * smaller


def _covers(taken: Box, box: Box) -> bool:
    width = min(taken[2], box[2]) - max(taken[0], box[0])
    height = min(taken[3], box[3]) - max(taken[1], box[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return width > 0 and height > 0 and width * height > 0.35 * area


class Taken:
    """Places in the picture that are spoken for."""

    def __init__(self) -> None:
        self._boxes: list[Box] = []

    def add(self, *lines: Line) -> None:
        self._boxes.extend(line.box for line in lines)

    def __contains__(self, line: Line) -> bool:
        return any(_covers(box, line.box) for box in self._boxes)

    def touch(self, line: Line) -> bool:
        """Whether a part of the line is spoken for."""
        return any(overlaps(line.box, box) for box in self._boxes)


def distinct(claims: Iterable[Claim]) -> list[Claim]:
    """Each name and value once in its group, with the strongest claim to it."""
    best: dict[tuple[object, ...], Claim] = {}
    for claim in claims:
        key: tuple[object, ...] = (claim.name, "".join(claim.value.lower().split()), claim.group)
        if claim.name in ("item_price", "discount"):
            key = (*key, claim.line.top)
        if key not in best or claim.score > best[key].score:
            best[key] = claim
    return list(best.values())
