"""Where text stands: the DB detector, over vertical tiles so that long captures keep their letters' size."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from adapters.readers.ocr.models import Network, Tensor

Image = npt.NDArray[np.uint8]
Quad = Tensor
"""Four corners (x, y): top left, top right, bottom right, bottom left."""

SHORT_SIDE = 544
SMALL_SIDE = 640
MOST_ENLARGED = 2.5
TALL = 2.4
TILE = 2.2
OVERLAP = 0.12
INK = 0.3
SURE = 0.5
UNCLIP = 1.6


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the picture, without the empty ground around a mock-up or a letterbox."""

    x: int
    y: int
    image: Image


def trim(image: Image) -> Window:
    """Cuts uniform margins off, if they are worth it."""
    height, width = image.shape[:2]
    step = max(1, max(height, width) // 500)
    thumbnail = image[::step, ::step].astype(np.int16)
    differs = np.abs(thumbnail - thumbnail[0, 0]).max(axis=2) > 24
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return Window(0, 0, image)
    top, bottom = max(0, int(rows[0]) * step - 8), min(height, int(rows[-1] + 1) * step + 8)
    left, right = max(0, int(columns[0]) * step - 8), min(width, int(columns[-1] + 1) * step + 8)
    if (bottom - top) * (right - left) > 0.85 * height * width:
        return Window(0, 0, image)
    return Window(left, top, image[top:bottom, left:right])


class Detector:
    def __init__(self, network: Network) -> None:
        self._network = network

    def find(self, image: Image) -> list[Quad]:
        """The text lines of a picture, in its pixels, in no order."""
        window = trim(image)
        found: list[Quad] = []
        for top, bottom in _tiles(*window.image.shape[:2]):
            for quad in self._find_in_tile(window.image[top:bottom]):
                if top > 0 and quad[:, 1].min() <= 2:
                    continue  # cut by the tile's upper edge: the tile above has it whole
                if bottom < window.image.shape[0] and quad[:, 1].max() >= bottom - top - 2:
                    continue
                quad[:, 1] += top
                if not _is_known(quad, found):
                    found.append(quad)
        return [quad + np.array([window.x, window.y], np.float32) for quad in found]

    def _find_in_tile(self, tile: Image) -> list[Quad]:
        height, width = tile.shape[:2]
        scale = _scale(min(height, width))
        rows = max(32, round(height * scale / 32) * 32)
        columns = max(32, round(width * scale / 32) * 32)
        shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(tile, (columns, rows), interpolation=shrinking)
        batch = cv2.dnn.blobFromImage(resized, 1 / 127.5, (columns, rows), (127.5, 127.5, 127.5))
        probability = self._network(np.asarray(batch, np.float32))[0, 0]
        back = np.array([width / columns, height / rows], np.float32)
        edge = np.array([width, height], np.float32)
        return [np.clip(quad * back, 0, edge).astype(np.float32) for quad in _quads(probability)]


def _scale(short: int) -> float:
    if short > SHORT_SIDE:
        return max(SHORT_SIDE / short, min(1.0, 160 / short))
    return min(SMALL_SIDE / short, MOST_ENLARGED) if short < SMALL_SIDE else 1.0


def _tiles(height: int, width: int) -> Iterator[tuple[int, int]]:
    if height <= width * TALL:
        yield 0, height
        return
    tile, overlap, top = int(width * TILE), int(width * OVERLAP), 0
    while top + tile < height:
        yield top, top + tile
        top += tile - overlap
    yield top, height


def _is_known(quad: Quad, found: list[Quad]) -> bool:
    left, right, middle = quad[:, 0].min(), quad[:, 0].max(), quad[:, 1].mean()
    for other in found:
        shared = min(right, other[:, 0].max()) - max(left, other[:, 0].min())
        if abs(middle - other[:, 1].mean()) < 8 and shared > 0.5 * (right - left):
            return True
    return False


def _quads(probability: Tensor) -> Iterator[Quad]:
    ink = cv2.dilate((probability > INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        (x, y), (a, b), angle = cv2.minAreaRect(contour)
        if (
            min(a, b) < 3
            or _mean_inside(probability, np.asarray(contour, np.int32), ((x, y), (a, b), angle)) < SURE
        ):
            continue
        grow = a * b * UNCLIP / (a + b)
        yield _ordered(np.asarray(cv2.boxPoints(((x, y), (a + grow, b + grow), angle)), np.float32))


def _mean_inside(
    probability: Tensor,
    contour: npt.NDArray[np.int32],
    rectangle: tuple[tuple[float, float], tuple[float, float], float],
) -> float:
    left, top, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    corners = np.asarray(cv2.boxPoints(rectangle)) - np.array([left, top])
    cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return float(cv2.mean(probability[top : top + height, left : left + width], mask)[0])


def _ordered(points: Quad) -> Quad:
    by_x = points[np.argsort(points[:, 0])]
    left, right = by_x[:2][np.argsort(by_x[:2, 1])], by_x[2:][np.argsort(by_x[2:, 1])]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
