"""What is wrong with a picture, and whether it tries to give orders."""

import re
from collections.abc import Sequence

import cv2
import numpy as np

from adapters.readers.ocr.detector import Image
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.lexicon import load
from adapters.readers.ocr.lines import Line
from bot.domain.vocabulary import Flag

_SHARP_EDGE = 0.33
_DARK = 60
_FAINT = 45


def find_flags(image: Image, lines: Sequence[Line], found: int) -> tuple[Flag, ...]:
    """``found`` is the number of lines that the detector saw, legible or not."""
    flags: list[Flag] = []
    if is_blurred(image, lines, found):
        flags.append("blurred")
    if is_dark(image, lines):
        flags.append("dark")
    if is_cropped(image, lines):
        flags.append("cropped")
    if gives_orders("".join(line.text + "\n" for line in lines)):
        flags.append("instructions")
    if is_unreadable(lines, found):
        flags.append("unreadable")
    return tuple(flags)


def is_blurred(image: Image, lines: Sequence[Line], found: int) -> bool:
    """Letters without sharp edges: how steep their steepest steps are, as a share of their contrast."""
    steps = []
    for line in sorted(lines, key=lambda line: -len(line.text))[:24]:
        grey = cv2.cvtColor(image[line.top : line.bottom, line.left : line.right], cv2.COLOR_BGR2GRAY)
        if grey.shape[0] < 8 or grey.shape[1] < 16:
            continue
        low, high = np.percentile(grey, (2, 98))
        if high - low < 24:
            continue
        # The same letters at twice the size step half as steep: measured at 24 pixels of height.
        scale = max(1.0, grey.shape[0] / 24)
        across = np.abs(np.diff(grey.astype(np.float32), axis=1))
        steps.append(float(np.percentile(across, 97)) * scale / (high - low))
    if len(steps) >= 3:
        return float(np.median(steps)) < _SHARP_EDGE
    return (found >= 2 or _is_uneven(image)) and not _has_an_edge(image)


def _is_uneven(image: Image) -> bool:
    """Whether a page without an edge holds more than one colour or a smooth ramp: text washed out to patches."""
    grey = cv2.cvtColor(cv2.resize(image, (64, 96), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    across = np.abs(np.diff(grey.astype(np.float32), n=2, axis=1))
    return bool(np.percentile(across, 98) > 4)


def _has_an_edge(image: Image) -> bool:
    """Whether anything at all is sharp, where text was seen but could not be read."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    low, high = np.percentile(grey[::4, ::4], (1, 99))
    steepest = float(np.percentile(np.abs(np.diff(grey, axis=1))[::2], 99.99))
    return bool(steepest > 0.3 * max(24.0, float(high - low)))


def is_dark(image: Image, lines: Sequence[Line]) -> bool:
    """Too dark to read well: nothing is bright, not even the letters (a dark theme's letters are)."""
    grey = cv2.cvtColor(image[::4, ::4], cv2.COLOR_BGR2GRAY)
    brightest = float(np.percentile(grey, 99.5))
    if brightest < _DARK:
        return True
    faint = [line for line in lines if line.strength < _FAINT]
    return float(np.mean(grey)) < _DARK and brightest < 110 and len(faint) > 0.5 * max(1, len(lines))


def is_cropped(image: Image, lines: Sequence[Line]) -> bool:
    """Letters cut through by the picture's edge."""
    height, width = image.shape[:2]
    cut = 0
    for line in lines:
        sideways = line.left <= 1 or line.right >= width - 1
        upright = line.top <= 1 or line.bottom >= height - 1
        if (sideways or upright) and len(line.text) >= 3 and _ink_at_edge(image, line):
            cut += 1
    return cut >= 2


def _ink_at_edge(image: Image, line: Line) -> bool:
    height, width = image.shape[:2]
    region = image[line.top : line.bottom, line.left : line.right].astype(np.int16)
    if not region.size:
        return False
    ground = np.median(region.reshape(-1, 3), axis=0)
    differs = np.abs(region - ground).max(axis=2) > 0.5 * max(30.0, line.strength)
    edges = []
    if line.left <= 1:
        edges.append(differs[:, 0])
    if line.right >= width - 1:
        edges.append(differs[:, -1])
    if line.top <= 1:
        edges.append(differs[0])
    if line.bottom >= height - 1:
        edges.append(differs[-1])
    return any(float(edge.mean()) > 0.06 for edge in edges)


def is_unreadable(lines: Sequence[Line], found: int) -> bool:
    """Nothing legible: no text at all, or hardly any that the recogniser is sure of."""
    sure = [line for line in lines if line.confidence > 0.75 and len(line.text) >= 2]
    if not sure:
        return True
    return found >= 8 and len(sure) < 0.2 * found


def gives_orders(text: str) -> bool:
    """Whether a text speaks to the bot, not to its reader."""
    key = re.sub(r"[ \t]+", " ", fold(text))
    flowing = re.sub(r"\s*\n\s*", "", key)
    spaced = re.sub(r"\s*\n\s*", " ", key)
    return any(re.search(p, variant) for p in load("instructions.yml") for variant in (spaced, flowing))
