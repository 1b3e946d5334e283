"""Boxes of facts in the picture that was given."""

import numpy as np

from adapters.readers.ocr.detector import Image
from bot.domain.reading import Box


def tightened(image: Image, box: Box) -> Box:
    """The detector leaves air around a line: drawn in to its ink, with a little room."""
    left, top, right, bottom = box
    crop = image[max(0, top) : bottom, max(0, left) : right].astype(np.int16)
    if crop.shape[0] < 8 or crop.shape[1] < 8:
        return box
    distance = np.abs(crop - np.median(crop.reshape(-1, 3), axis=0)).max(axis=2)
    inked = distance > 0.4 * max(24.0, float(np.percentile(distance, 97)))
    rows, columns = np.flatnonzero(inked.mean(axis=1) > 0.01), np.flatnonzero(inked.any(axis=0))
    if len(rows) < 4 or len(columns) < 4:
        return box
    room = max(1, round(0.12 * (int(rows[-1]) - int(rows[0]))))
    return (
        max(left, left + int(columns[0]) - 2),
        max(top, top + int(rows[0]) - room),
        min(right, left + int(columns[-1]) + 3),
        min(bottom, top + int(rows[-1]) + 1 + room),
    )


def turned(box: Box, width: int, height: int) -> Box:
    """The same place in the picture upside down."""
    left, top, right, bottom = box
    return width - right, height - bottom, width - left, height - top
