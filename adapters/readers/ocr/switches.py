"""Whether a switch is on, from its pixels."""

import cv2
import numpy as np

from adapters.readers.ocr.detector import Image
from adapters.readers.ocr.lines import Line
from bot.domain.reading import Box


def find_switch(image: Image, line: Line) -> tuple[bool, Box] | None:
    """The switch in a label's row, at its right: (on?, box), or None."""
    reach = round(1.1 * line.height)
    top, bottom = max(0, line.top - reach), min(image.shape[0], line.bottom + reach)
    left = min(line.right + 2, image.shape[1] - 1)
    strip = image[top:bottom, left:]
    if strip.size == 0 or strip.shape[1] < line.height:
        return None
    ground = np.median(strip.reshape(-1, 3), axis=0)
    differs = (np.abs(strip.astype(np.int16) - ground).max(axis=2) > 14).astype(np.uint8)
    contours, _ = cv2.findContours(differs, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:6]:
        x, y, width, height = cv2.boundingRect(contour)
        if not 0.65 * line.height < height < 2.4 * line.height or not 1.35 < width / height < 2.5:
            continue
        if cv2.contourArea(cv2.convexHull(contour)) < 0.8 * width * height:
            continue
        on = _is_on(strip[y : y + height, x : x + width])
        if on is not None:
            return on, (left + x, top + y, left + x + width, top + y + height)
    return None


def _is_on(pill: Image) -> bool | None:
    """On: the knob is at the right. The knob is a disc of another colour than the track."""
    height, width = pill.shape[:2]
    core = pill[height // 4 : height - height // 4].astype(np.float32)
    third = width // 3
    left, right = (
        core[:, third // 3 : third].reshape(-1, 3),
        core[:, -third : -(third // 3) or None].reshape(-1, 3),
    )
    light_left, light_right = float(np.median(left)), float(np.median(right))
    if np.abs(np.median(left, axis=0) - np.median(right, axis=0)).max() < 18:
        return None
    saturation = cv2.cvtColor(pill, cv2.COLOR_BGR2HSV)[:, :, 1]
    coloured = max(float(np.median(saturation[:, :third])), float(np.median(saturation[:, -third:])))
    if coloured > 90:
        side = np.median(saturation[:, :third]) > np.median(saturation[:, -third:])
        return bool(side)  # the track shows at the left of a knob that stands at the right
    return light_right > light_left and coloured > 50
