"""One picture to its Reading: what OpenCV and the models see, and what that means."""

import re
from datetime import datetime

import cv2
import numpy as np

from adapters.readers.ocr.boxes import tightened, turned
from adapters.readers.ocr.claims import Locale
from adapters.readers.ocr.detector import Image
from adapters.readers.ocr.facts import find_facts
from adapters.readers.ocr.flags import find_flags
from adapters.readers.ocr.folding import is_traditional
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.money import page_currencies
from adapters.readers.ocr.pages import classify
from adapters.readers.ocr.sight import Seeing, Sight
from adapters.readers.ocr.tidying import tidied
from bot.domain.errors import ReaderDown
from bot.domain.reading import Fact, Reading
from bot.domain.vocabulary import PageLanguage

_DAY_FIRST = frozenset({"HKD", "GBP", "EUR", "SGD", "AUD", "NZD", "INR", "MYR"})


class PictureReader:
    """``name``: of the reader that its Readings give."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._sight = Sight(threads)

    def warm_up(self) -> None:
        """Loads the models and runs them once. Blocks."""
        self._sight.warm_up()

    def read(self, data: bytes, now: datetime) -> Reading:
        """Blocks. Raises ReaderDown for bytes that OpenCV cannot open."""
        return self._interpret(self._sight.see(_decoded(data)), now)

    def _interpret(self, seeing: Seeing, now: datetime) -> Reading:
        height, width = seeing.image.shape[:2]
        text = "\n".join(line.key for line in seeing.lines)
        printed = "".join(line.text for line in seeing.lines)
        currencies = page_currencies(text, is_traditional(printed))
        day_first = currencies["$"] in _DAY_FIRST or bool(re.search("[£€]", text))
        locale = Locale(now, currencies, day_first)
        sheet = Sheet(tidied(seeing.lines, width, height), width, height)
        page = classify(sheet, locale)
        return Reading(
            page=page,
            language=language_of(printed),
            facts=tuple(_placed(fact, seeing) for fact in find_facts(sheet, page, locale, seeing.image)),
            flags=find_flags(seeing.image, seeing.lines, seeing.found),
            reader=self._name,
        )


def _decoded(data: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise ReaderDown("The OCR reader cannot open this picture.")
    return np.asarray(image, np.uint8)


def _placed(fact: Fact, seeing: Seeing) -> Fact:
    """With its box as tight as its letters, in the picture as it was given."""
    height, width = seeing.image.shape[:2]
    box = tightened(seeing.image, fact.box) if fact.text else fact.box
    return fact.model_copy(update={"box": turned(box, width, height) if seeing.upside_down else box})


def language_of(text: str) -> PageLanguage | None:
    """By script: a few Chinese characters make a page Chinese, for Chinese pages hold English names."""
    chinese = len(re.findall(r"[\u4e00-\u9fff]", text))
    latin = len(re.findall(r"[A-Za-z]", text))
    if chinese + latin < 4:
        return None
    return "zh" if chinese * 3 >= latin else "en"
