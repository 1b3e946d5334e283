"""L-BFGS (Nocedal and Wright, Numerical Optimization, 7.4-7.5) in single precision.

A model of a million parameters has half of scipy's memory and time to find here, for it needs no more digits.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_MEMORY = 5
"""Earlier rounds to learn the curvature from."""
_ENOUGH = 1e-4
"""The part of the expected gain that a step has to bring."""
_SHORTEST_STEP = 1e-3


def least(loss: Callable[[Floats], tuple[float, Floats]], start: Floats, rounds: int) -> Floats:
    """The point of the least loss, or where ``rounds`` lead. ``loss``: of a point, with its gradient."""
    point, steps = start, deque[tuple[Floats, Floats]](maxlen=_MEMORY)
    value, slope = loss(point)
    for _ in range(rounds):
        way = _towards_least(slope, steps)
        gain = _dot(slope, way)
        size = 1.0 if steps else min(1.0, 1 / max(gain, 1e-30) ** 0.5)
        there, its_slope = loss(point - np.float32(size) * way)
        while there > value - _ENOUGH * size * gain and size > _SHORTEST_STEP:
            size /= 2
            there, its_slope = loss(point - np.float32(size) * way)
        way *= np.float32(-size)
        change = its_slope - slope
        if there >= value or _dot(way, change) <= 0:
            break
        steps.append((way, change))
        point, value, slope = point + way, there, its_slope
    return point


def _towards_least(slope: Floats, steps: deque[tuple[Floats, Floats]]) -> Floats:
    """The slope divided by the curvature, as far as that is known from earlier steps."""
    way = slope.copy()
    parts = []
    for step, change in reversed(steps):
        parts.append(_dot(step, way) / _dot(step, change))
        way -= np.float32(parts[-1]) * change
    if steps:
        step, change = steps[-1]
        way *= np.float32(_dot(step, change) / _dot(change, change))
    for (step, change), part in zip(steps, reversed(parts), strict=True):
        way += np.float32(part - _dot(change, way) / _dot(step, change)) * step
    return way


def _dot(one: Floats, other: Floats) -> float:
    return float(np.vdot(one, other))
