"""What every ScreenReader keeps to. A reader's test subclasses ``ReaderContract``."""

import re
from collections.abc import Sequence

import pytest

from bot.domain.ports import ScreenReader
from bot.domain.reading import Fact, Picture, Seen
from bot.domain.vocabulary import FACTS, MONEY_FACTS, NUMBER_FACTS, PAGES, TIME_FACTS

MONEY = re.compile(r"\d+\.\d\d")
TIME = re.compile(r"(\d{4}-)?\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?")
CURRENCY = re.compile(r"[A-Z]{3}")


def assert_in_form(seen: Seen, pictures: Sequence[Picture], reader: str) -> None:
    """One Reading a picture, each in the words and forms of the contract."""
    assert len(seen.readings) == len(pictures)
    for reading, picture in zip(seen.readings, pictures, strict=True):
        assert reading.page in PAGES
        assert reading.reader == reader
        assert reading.ms >= 0
        for fact in reading.facts:
            assert_fact_in_form(fact, picture)


def assert_fact_in_form(fact: Fact, picture: Picture) -> None:
    x0, y0, x1, y1 = fact.box
    assert 0 <= x0 < x1 <= picture.width
    assert 0 <= y0 < y1 <= picture.height
    assert fact.name in FACTS
    assert fact.value
    assert fact.text
    assert fact.value.isprintable()
    if fact.name in MONEY_FACTS:
        assert MONEY.fullmatch(fact.value)
        assert fact.unit is None or CURRENCY.fullmatch(fact.unit)
    else:
        assert fact.unit is None
    if fact.name in TIME_FACTS:
        assert TIME.fullmatch(fact.value)
    if fact.name in NUMBER_FACTS:
        assert not re.search(r"\s", fact.value)


class ReaderContract:
    """Give it the fixtures ``reader`` and ``pictures`` (two different screenshots)."""

    @pytest.fixture
    def reader(self) -> ScreenReader:
        raise NotImplementedError

    @pytest.fixture
    def pictures(self) -> Sequence[Picture]:
        raise NotImplementedError

    async def test_one_picture(self, reader: ScreenReader, pictures: Sequence[Picture]) -> None:
        assert_in_form(await reader.read(pictures[:1], "", None), pictures[:1], reader.name)

    async def test_several_pictures_with_a_question(
        self, reader: ScreenReader, pictures: Sequence[Picture]
    ) -> None:
        assert_in_form(await reader.read(pictures, "这是什么钱", "请发截图"), pictures, reader.name)

    async def test_no_picture(self, reader: ScreenReader) -> None:
        assert (await reader.read([], "在吗", None)).readings == ()
