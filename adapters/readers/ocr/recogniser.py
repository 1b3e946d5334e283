"""What a line says: the CTC recogniser, with the place of every character."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from adapters.readers.ocr.detector import Image, Quad
from adapters.readers.ocr.models import Network, Tensor

HEIGHT = 48
STRIDE = 8
BATCH_WIDTH = 1600
ALIKE = 0.8
LONGEST = 3200


@dataclass(frozen=True, slots=True)
class Text:
    """``places`` holds each character's middle, as a share (0 to 1) of the line's length."""

    text: str
    confidence: float
    places: tuple[float, ...]


class Recogniser:
    def __init__(self, network: Network, characters: Sequence[str], threads: int = 2) -> None:
        self._network = network
        self._characters = characters
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ocr")

    def read(self, image: Image, quads: Sequence[Quad]) -> list[Text]:
        """The text of each line, in the order given."""
        crops = [crop(image, quad) for quad in quads]
        widths = [max(8, min(LONGEST, math.ceil(c.shape[1] / c.shape[0] * HEIGHT))) for c in crops]
        batches = list(_batches(widths))
        texts: list[Text] = [Text("", 0.0, ())] * len(crops)
        results = self._threads.map(lambda batch: self._read_batch(crops, widths, batch), batches)
        for batch, batch_texts in zip(batches, results, strict=True):
            for index, text in zip(batch, batch_texts, strict=True):
                texts[index] = text
        return texts

    def _read_batch(self, crops: list[Image], widths: list[int], batch: list[int]) -> list[Text]:
        widest = max(widths[index] for index in batch)
        tensor = np.zeros((len(batch), 3, HEIGHT, widest), np.float32)
        for row, index in enumerate(batch):
            resized = cv2.resize(crops[index], (widths[index], HEIGHT)).astype(np.float32)
            tensor[row, :, :, : widths[index]] = ((resized - 127.5) / 127.5).transpose(2, 0, 1)
        output = self._network(tensor)
        return [self._decode(output[row], widths[index]) for row, index in enumerate(batch)]

    def _decode(self, steps: Tensor, width: int) -> Text:
        classes, scores = steps.argmax(axis=1), steps.max(axis=1)
        characters: list[str] = []
        kept: list[float] = []
        places: list[float] = []
        previous = 0
        for step, (index, score) in enumerate(zip(classes.tolist(), scores.tolist(), strict=True)):
            if index and index != previous:
                characters.append(self._characters[index])
                kept.append(score)
                places.append(min(1.0, (step + 0.5) * STRIDE / width))
            previous = index
        confidence = sum(kept) / len(kept) if kept else 0.0
        return Text("".join(characters), min(1.0, confidence), tuple(places))


def crop(image: Image, quad: Quad) -> Image:
    """A line cut out and laid level; an upright column is turned."""
    across = max(2, int(max(_distance(quad[0], quad[1]), _distance(quad[2], quad[3]))))
    down = max(2, int(max(_distance(quad[0], quad[3]), _distance(quad[1], quad[2]))))
    upright = down >= 1.5 * across
    level = abs(quad[0, 1] - quad[1, 1]) <= max(1.0, 0.02 * down) and abs(quad[0, 0] - quad[3, 0]) <= 2
    if level and not upright:
        left, top = (int(v) for v in quad.min(axis=0))
        right, bottom = (math.ceil(v) for v in quad.max(axis=0))
        return image[top : max(bottom, top + 2), left : max(right, left + 2)]
    target = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    transform = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    cut = cv2.warpPerspective(
        image, transform, (across, down), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    level_cut: Image = np.asarray(cut, np.uint8)
    return np.rot90(level_cut) if upright else level_cut


def _distance(a: Tensor, b: Tensor) -> float:
    return math.hypot(float(a[0] - b[0]), float(a[1] - b[1]))


def _batches(widths: list[int]) -> Iterator[list[int]]:
    """Lines of like width together: little padding, and few enough to stay in the cache."""
    batch: list[int] = []
    for index in sorted(range(len(widths)), key=lambda i: -widths[i]):
        total = widths[batch[0]] * (len(batch) + 1) if batch else 0
        if batch and (total > BATCH_WIDTH or widths[index] < ALIKE * widths[batch[0]]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
