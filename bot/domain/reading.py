"""What a screenshot says. A Reading has no verbs: nothing in it can act."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from bot.domain.base import Model
from bot.domain.vocabulary import PAGES, FactName, Flag, IntentName, Page, PageLanguage, PictureId

Box = tuple[int, int, int, int]
Confidence = Annotated[float, Field(ge=0, le=1)]


class Fact(Model):
    """One thing that the picture says.

    ``value`` is normalised as the contract lists it, ``text`` stands as in the picture, ``box`` is
    (x0, y0, x1, y1) in pixels of the picture as it is shown. Facts of one row or card share a ``group``.
    """

    name: FactName
    value: str
    unit: str | None = None
    text: str
    box: Box
    confidence: Confidence
    group: int | None = None

    @model_serializer(mode="wrap")
    def _without_empty_group(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        data: dict[str, object] = handler(self)
        if self.group is None:
            data.pop("group", None)
        return data


class Reading(Model):
    """One picture, read. ``ms`` is what reading took, in milliseconds."""

    page: Page
    language: PageLanguage | None
    facts: tuple[Fact, ...] = ()
    flags: tuple[Flag, ...] = ()
    reader: str
    ms: float = 0.0

    def all(self, name: FactName) -> tuple[Fact, ...]:
        """The facts of one name, the most certain first."""
        return tuple(sorted((f for f in self.facts if f.name == name), key=lambda f: -f.confidence))

    def first(self, name: FactName) -> Fact | None:
        """The most certain fact of one name."""
        facts = self.all(name)
        return facts[0] if facts else None


class Hint(Model):
    """What a vision-language model thinks that the customer wants: apart from what it read, never proof."""

    intent: IntentName
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, checked and upright: ``data`` is a whole file, ``width`` x ``height`` in pixels."""

    id: PictureId
    data: bytes
    mime: Literal["image/png", "image/jpeg", "image/webp"]
    width: int
    height: int

    def renamed(self, id: PictureId) -> "Picture":
        return replace(self, id=id)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader made of a turn's pictures: a Reading each, in their order, and maybe a hint."""

    readings: tuple[Reading, ...]
    hint: Hint | None = None


RECORD_PAGES: frozenset[Page] = frozenset(PAGES) - {"product", "chat", "error", "other"}
"""Pages that show a record of a shop, rather than mention one by the way."""


def telling(readings: Sequence[Reading]) -> Reading | None:
    """Of a turn's pictures, the one that it is about: that says most, and not by the way."""

    def says(reading: Reading) -> tuple[bool, int]:
        return reading.page in RECORD_PAGES and bool(reading.facts), len(reading.facts)

    return max(readings, key=says, default=None)


ONE_A_ROW: frozenset[FactName] = frozenset({"amount", "refund_amount", "order_no", "tracking_no"})


def rows(reading: Reading) -> tuple[Reading, ...]:
    """A list of orders or charges as its rows, each with what stands outside of them; else the one reading."""
    groups = sorted({f.group for f in reading.facts if f.group is not None and f.name in ONE_A_ROW})
    if len(groups) < 2:
        return (reading,)
    return tuple(
        reading.model_copy(update={"facts": tuple(f for f in reading.facts if f.group in (None, group))})
        for group in groups
    )
