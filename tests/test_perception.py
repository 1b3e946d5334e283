"""From attachments to masked readings: the ladder, and the copy that stays."""

import asyncio
from collections.abc import Callable, Sequence

from bot.domain.errors import BrokenPicture, NotFound, ReaderDown, Unavailable
from bot.domain.message import Attachment
from bot.domain.reading import Box, Fact, Hint, Picture, Reading, Seen
from bot.domain.vocabulary import FactName, PictureId
from bot.flow.perception import Ladder, Perception


class Media:
    """A MediaStore in memory."""

    def __init__(self, *ids: str) -> None:
        self.originals = {id: Picture(PictureId(id), b"pixels", "image/png", 100, 50) for id in ids}
        self.copies: dict[str, tuple[bytes, str]] = {}
        self.full = False

    async def keep(self, picture: Picture, uploader: str) -> None:
        self.originals[picture.id] = picture

    async def has(self, id: PictureId) -> bool:
        return id in self.originals

    async def load(self, id: PictureId) -> Picture:
        if id not in self.originals:
            raise NotFound
        return self.originals[id]

    async def keep_masked(self, id: PictureId, data: bytes, mime: str) -> None:
        if self.full:
            raise Unavailable
        self.copies[id] = data, mime

    async def masked(self, id: PictureId) -> tuple[bytes, str]:
        return self.copies[id]

    async def sweep(self) -> int:
        return 0


class Pictures:
    """A PictureTool that notes where it was to mask."""

    def __init__(self) -> None:
        self.boxes: dict[str, list[Box]] = {}

    async def check(self, data: bytes) -> Picture:
        raise BrokenPicture

    async def mask(self, picture: Picture, boxes: Sequence[Box]) -> tuple[bytes, str]:
        self.boxes[picture.id] = list(boxes)
        return b"masked", "image/jpeg"


class Reader:
    def __init__(self, name: str, answer: Callable[[Sequence[Picture]], Seen]) -> None:
        self.name, self._answer = name, answer
        self.asked: list[tuple[int, str, str | None]] = []

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        self.asked.append((len(pictures), question, last_question))
        return self._answer(pictures)


class Hanging(Reader):
    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        await asyncio.Event().wait()
        return Seen(())


def fact(name: FactName, value: str, box: Box = (10, 10, 60, 22)) -> Fact:
    return Fact(name=name, value=value, text=value, box=box, confidence=0.9)


def sees(name: str, *facts: Fact) -> Reader:
    hint = Hint(intent="explain_charge", confidence=0.9)

    def answer(pictures: Sequence[Picture]) -> Seen:
        reading = Reading(page="charge_notice", language="zh", facts=facts, reader=name)
        return Seen((reading,) * len(pictures), hint)

    return Reader(name, answer)


def fails(name: str, error: Exception) -> Reader:
    def answer(pictures: Sequence[Picture]) -> Seen:
        raise error

    return Reader(name, answer)


def attachments(*ids: str) -> list[Attachment]:
    return [Attachment(id=PictureId(id)) for id in ids]


async def test_the_first_reader_that_answers_is_the_one() -> None:
    best, next_one = sees("vl", fact("amount", "88.00")), sees("ocr")
    perception = Perception(Ladder([best, next_one]), Media("a", "b"), Pictures())
    seen = await perception.perceive(attachments("a", "b"), "这是什么钱", "请发截图")
    assert [reading.reader for reading in seen.readings] == ["vl", "vl"]
    assert best.asked == [(2, "这是什么钱", "请发截图")]
    assert next_one.asked == []
    assert seen.hint is not None


async def test_a_reader_that_does_not_answer_is_followed_by_the_next() -> None:
    ladder = [
        fails("8b", ReaderDown()),
        Hanging("4b", lambda pictures: Seen(())),
        fails("2b", ValueError("a fault of its own")),
        Reader("short", lambda pictures: Seen(())),
        sees("ocr", fact("amount", "88.00")),
    ]
    seen = await Perception(Ladder(ladder, deadline=0.05), Media("a"), Pictures()).perceive(
        attachments("a"), "", None
    )
    assert seen.readings[0].reader == "ocr"


async def test_where_nobody_can_read_the_bot_knows_it() -> None:
    media, pictures = Media("a"), Pictures()
    seen = await Perception(Ladder([fails("ocr", ReaderDown())]), media, pictures).perceive(
        attachments("a"), "", None
    )
    (reading,) = seen.readings
    assert (reading.page, reading.flags, reading.facts, reading.reader) == (
        "other",
        ("unreadable",),
        (),
        "none",
    )
    assert pictures.boxes["a"] == [(0, 0, 100, 50)]


async def test_personal_data_is_masked_in_the_reading_and_in_the_copy() -> None:
    media, pictures = Media("a"), Pictures()
    reader = sees(
        "ocr",
        fact("amount", "88.00", (0, 0, 5, 5)),
        fact("phone", "13800000001"),
        fact("order_no", "2025120100001", (0, 30, 50, 40)),
    )
    seen = await Perception(Ladder([reader]), media, pictures).perceive(attachments("a"), "", None)
    facts = {f.name: f.value for f in seen.readings[0].facts}
    assert facts == {"amount": "88.00", "phone": "138****0001", "order_no": "2025120100001"}
    ((x0, y0, x1, y1),) = pictures.boxes["a"]
    assert x0 < 10
    assert y0 < 10
    assert x1 > 60
    assert y1 > 22
    assert media.copies == {"a": (b"masked", "image/jpeg")}


async def test_an_original_that_is_gone_costs_only_its_own_reading() -> None:
    reader = sees("ocr")
    seen = await Perception(Ladder([reader]), Media("b"), Pictures()).perceive(
        attachments("a", "b"), "", None
    )
    assert [reading.reader for reading in seen.readings] == ["none", "ocr"]
    assert reader.asked[0][0] == 1


async def test_a_full_disk_does_not_cost_the_answer() -> None:
    media = Media("a")
    media.full = True
    seen = await Perception(Ladder([sees("ocr")]), media, Pictures()).perceive(attachments("a"), "", None)
    assert seen.readings[0].reader == "ocr"


async def test_without_pictures_nobody_is_asked() -> None:
    reader = sees("ocr")
    assert (await Perception(Ladder([reader]), Media(), Pictures()).perceive([], "在吗", None)).readings == ()
    assert reader.asked == []
