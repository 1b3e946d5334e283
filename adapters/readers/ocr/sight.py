"""From pixels to lines: detect, read, read again what was doubtful, turn what stands on its head."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np

from adapters.readers.ocr.detector import Detector, Image, Quad
from adapters.readers.ocr.folding import fold, is_traditional
from adapters.readers.ocr.lexicon import is_furniture, label
from adapters.readers.ocr.lines import Line, build_lines
from adapters.readers.ocr.models import find_models, load_characters, load_network
from adapters.readers.ocr.recogniser import Recogniser, Text

_UNSURE = 0.80
_DOUBT = 0.955
# In traditional characters; a long line costs the more to read again, and is the less likely to be a name.
_SURE_SHORT, _SURE_LONG = 0.992, 0.98
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Seeing:
    """The picture, the way up that its lines are in, and how many lines the detector saw, legible or not."""

    image: Image
    lines: list[Line]
    found: int
    upside_down: bool = False


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


class Sight:
    """The models, loaded when they are first needed. Several threads may see at once."""

    def __init__(self, threads: int) -> None:
        self._count = threads
        self._loading = Lock()
        self._models: Models | None = None

    def warm_up(self) -> None:
        """Loads the models and runs them once."""
        blank = np.full((640, 360, 3), 255, np.uint8)
        cv2.putText(blank, "88.00", (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 3)
        self.see(blank)

    def see(self, image: Image) -> Seeing:
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

    def _load(self) -> Models:
        with self._loading:
            if self._models is None:
                self._models = load_models(self._count)
            return self._models


def is_doubtful(text: Text, traditional: bool) -> bool:
    """The tiny model is unsure, or at its weak points: traditional characters, letters among digits."""
    if len(text.text.strip()) < 2 or text.confidence < 0.5:
        return False
    if traditional and _CHINESE.search(text.text):
        return _is_doubtful_traditional(text)
    if text.confidence < _DOUBT and len(text.text) >= 4:
        return True
    number = re.search(r"[A-Za-z0-9]{10,}", text.text)
    return bool(number and re.search(r"[A-Za-z]", number[0]) and re.search(r"\d", number[0]))


def _is_doubtful_traditional(text: Text) -> bool:
    """The tiny model writes 金额 for 金額, and that surely: harmless in a word that is known either way."""
    key = fold(text.text)
    if label(key) is not None or is_furniture(key):
        return False
    return text.confidence < (_SURE_SHORT if len(text.text) <= 8 else _SURE_LONG)


def _certainty(texts: Sequence[Text]) -> float:
    """The mean confidence by character; what cannot be read counts as nothing."""
    total = sum(max(1, len(text.text)) for text in texts)
    return sum(text.confidence * len(text.text) for text in texts) / total if total else 0.0


def _looks_upside_down(texts: Sequence[Text]) -> bool:
    if len(texts) < 3:
        return False
    unsure = sum(1 for text in texts if text.confidence < 0.5)
    return sum(t.confidence for t in texts) / len(texts) < _UNSURE or unsure > 0.4 * len(texts)
