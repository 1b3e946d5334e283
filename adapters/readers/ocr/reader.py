"""The embedded reader: screenshots to Readings on a CPU, without a server."""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import cv2
import numpy as np

from adapters.readers.ocr.boxes import tightened, turned
from adapters.readers.ocr.claims import Locale
from adapters.readers.ocr.detector import Detector, Image, Quad
from adapters.readers.ocr.facts import find_facts
from adapters.readers.ocr.flags import find_flags
from adapters.readers.ocr.folding import is_traditional
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lines import Line, build_lines
from adapters.readers.ocr.models import find_models, load_characters, load_network
from adapters.readers.ocr.money import page_currencies
from adapters.readers.ocr.pages import classify
from adapters.readers.ocr.recogniser import Recogniser, Text
from bot.domain.errors import ReaderDown
from bot.domain.reading import Fact, Picture, Reading, Seen
from bot.domain.vocabulary import PageLanguage

REMEMBERED = 64
_UNSURE = 0.80
_DOUBT = 0.955
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_DAY_FIRST = frozenset({"HKD", "GBP", "EUR", "SGD", "AUD", "NZD", "INR", "MYR"})


@dataclass(frozen=True, slots=True)
class Seeing:
    """The picture, the way up that its lines are in, and how many lines the detector saw, legible or not."""

    image: Image
    lines: list[Line]
    found: int
    upside_down: bool = False


class OcrReader:
    """Reads with PP-OCRv6. ``now`` gives the shop's time, aware, to resolve relative days against."""

    name = "ocr"

    def __init__(self, now: Callable[[], datetime], threads: int = 2) -> None:
        self._now = now
        self._count = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ocr-page")
        self._loading = Lock()
        self._models: Models | None = None
        self._remembered: OrderedDict[str, Seeing] = OrderedDict()

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        """One Reading a picture. The questions are of no help to a reader that reads everything."""
        loop = asyncio.get_running_loop()
        readings = await asyncio.gather(
            *(loop.run_in_executor(self._threads, self.read_one, picture) for picture in pictures)
        )
        return Seen(tuple(readings))

    def warm_up(self) -> None:
        """Loads the models and runs them once, so that the first customer does not wait for it."""
        blank = np.full((640, 360, 3), 255, np.uint8)
        cv2.putText(blank, "88.00", (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 3)
        self._see(blank)

    def read_one(self, picture: Picture) -> Reading:
        """Blocks: call it from a thread. Raises ReaderDown for bytes that OpenCV cannot open."""
        started = time.perf_counter()
        seeing = self._recall(picture.data)
        height, width = seeing.image.shape[:2]
        text = "\n".join(line.key for line in seeing.lines)
        printed = "".join(line.text for line in seeing.lines)
        currencies = page_currencies(text, is_traditional(printed))
        locale = Locale(
            self._now(), currencies, currencies["$"] in _DAY_FIRST or bool(re.search("[£€]", text))
        )
        sheet = Sheet(seeing.lines, width, height)
        page = classify(sheet, locale)
        flags = find_flags(seeing.image, seeing.lines, seeing.found)
        facts = find_facts(sheet, page, locale, seeing.image)
        return Reading(
            page=page,
            language=language_of(printed),
            facts=tuple(_placed(fact, seeing) for fact in facts),
            flags=flags,
            reader=self.name,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )

    def _recall(self, data: bytes) -> Seeing:
        """What was seen in these very bytes. No likeness of pictures: one digit changes too few pixels."""
        key = hashlib.sha256(data).hexdigest()
        if known := self._remembered.get(key):
            self._remembered.move_to_end(key)
            return known
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            raise ReaderDown("The OCR reader cannot open this picture.")
        seeing = self._see(np.asarray(image, np.uint8))
        self._remembered[key] = seeing
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return seeing

    def _see(self, image: Image) -> Seeing:
        models = self._load()
        quads = models.detector.find(image)
        texts = models.quick.read(image, quads)
        if _looks_upside_down(texts):
            turned = np.ascontiguousarray(image[::-1, ::-1])
            turned_quads = models.detector.find(turned)
            turned_texts = models.quick.read(turned, turned_quads)
            if _certainty(turned_texts) > _certainty(texts) + 0.05:
                lines = build_lines(turned, turned_quads, models.reread(turned, turned_quads, turned_texts))
                return Seeing(turned, lines, len(turned_quads), upside_down=True)
        return Seeing(image, build_lines(image, quads, models.reread(image, quads, texts)), len(quads))

    def _load(self) -> "Models":
        with self._loading:
            if self._models is None:
                self._models = load_models(self._count)
            return self._models


@dataclass(frozen=True, slots=True)
class Models:
    detector: Detector
    quick: Recogniser
    careful: Recogniser

    def reread(self, image: Image, quads: Sequence[Quad], texts: Sequence[Text]) -> list[Text]:
        """Reads the doubtful lines again with the larger model."""
        traditional = is_traditional("".join(text.text for text in texts))
        doubtful = [index for index, text in enumerate(texts) if is_doubtful(text, traditional)]
        better = list(texts)
        if doubtful:
            again = self.careful.read(image, [quads[index] for index in doubtful])
            for index, text in zip(doubtful, again, strict=True):
                if text.confidence > 0.6 and text.text.strip():
                    better[index] = text
        return better


def load_models(threads: int) -> Models:
    files = find_models()
    return Models(
        Detector(load_network(files.detection)),
        Recogniser(load_network(files.recognition), load_characters(files.characters), threads),
        Recogniser(load_network(files.careful), load_characters(files.careful_characters), threads),
    )


def is_doubtful(text: Text, traditional: bool) -> bool:
    """The tiny model is unsure, or at its weak points: traditional characters, letters among digits."""
    if len(text.text.strip()) < 2 or text.confidence < 0.5:
        return False
    if text.confidence < _DOUBT and len(text.text) >= 4:
        return True
    if traditional and _CHINESE.search(text.text):
        return True
    number = re.search(r"[A-Za-z0-9]{10,}", text.text)
    return bool(number and re.search(r"[A-Za-z]", number[0]) and re.search(r"\d", number[0]))


def _placed(fact: Fact, seeing: Seeing) -> Fact:
    """With its box as tight as its letters, in the picture as it was given."""
    height, width = seeing.image.shape[:2]
    box = tightened(seeing.image, fact.box) if fact.text else fact.box
    return fact.model_copy(update={"box": turned(box, width, height) if seeing.upside_down else box})


def _certainty(texts: Sequence[Text]) -> float:
    """The mean confidence by character; what cannot be read counts as nothing."""
    total = sum(max(1, len(text.text)) for text in texts)
    return sum(text.confidence * len(text.text) for text in texts) / total if total else 0.0


def _looks_upside_down(texts: Sequence[Text]) -> bool:
    if len(texts) < 3:
        return False
    unsure = sum(1 for text in texts if text.confidence < 0.5)
    return sum(t.confidence for t in texts) / len(texts) < _UNSURE or unsure > 0.4 * len(texts)


def language_of(text: str) -> PageLanguage | None:
    """By script: a few Chinese characters make a page Chinese, for Chinese pages hold English names."""
    chinese = len(re.findall(r"[\u4e00-\u9fff]", text))
    latin = len(re.findall(r"[A-Za-z]", text))
    if chinese + latin < 4:
        return None
    return "zh" if chinese * 3 >= latin else "en"
