"""What the encoder makes of a word piece before it looks at the neighbours: the same in every text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.classifier.kept import Arrays, Rows
from adapters.classifier.weights import BRANCHES, TABLES, WIDTH

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

EMBEDDED = 2
"""Blocks, of ``WIDTH`` columns each, of a piece's embedding."""
OWN = EMBEDDED + len(BRANCHES)
"""Then comes a block for each branch; and then, for each branch, what the piece adds to those around it."""
_BLOCKS = OWN + sum(BRANCHES)
_FINEST = 2**15 - 1
NO_PIECE = -1
"""Stands around texts, and adds nothing to anything."""


@dataclass(frozen=True, slots=True)
class CommonPieces:
    """The blocks of pieces that occur often, rounded to 16 bits, which the vectors do not feel.

    ``numbers`` ascend, ``NO_PIECE`` is among them; a row times ``scale`` holds the values of one.
    """

    numbers: NDArray[np.int32]
    rows: NDArray[np.int16] | Rows
    scale: Floats

    @classmethod
    def of(cls, numbers: Numbers, weights: Arrays) -> "CommonPieces":
        """``numbers``: of the pieces, ascending."""
        rows = np.zeros((len(numbers) + 1, _BLOCKS * WIDTH), dtype=np.float32)
        rows[1:] = _computed(weights, numbers)
        scale = np.maximum(np.abs(rows).max(axis=0), np.float32(1e-30)) / _FINEST
        rows /= scale
        rounded = np.rint(rows, out=rows).astype(np.int16)
        return cls(np.append(NO_PIECE, numbers).astype(np.int32), rounded, scale)


class FirstLayer:
    """Looks common pieces up, and computes the others."""

    def __init__(self, weights: Arrays, common: CommonPieces | None) -> None:
        self._weights = weights
        self._common = common or CommonPieces.of(np.empty(0, dtype=np.int64), weights)

    def blocks(self, numbers: Numbers) -> Floats:
        """For each piece its blocks."""
        common = self._common
        places = np.minimum(common.numbers.searchsorted(numbers), len(common.numbers) - 1)
        rows = common.rows[places].astype(np.float32)
        rows *= common.scale
        missing = common.numbers[places] != numbers
        if missing.any():
            distinct, their_places = np.unique(numbers[missing], return_inverse=True)
            rows[missing] = _computed(self._weights, distinct)[their_places]
        return rows.reshape(len(numbers), _BLOCKS, WIDTH)


def _computed(w: Arrays, numbers: Numbers) -> Floats:
    """The blocks of each piece side by side, from the weights."""
    table = numbers % TABLES
    embedded = w["embedding"][numbers] * w["scale"][table, None] + w["low"][table, None]
    own = _normalised(embedded @ w["proj"] + w["proj_bias"], w["eps"]) * w["proj_gain"] + w["proj_shift"]
    kernels = [w[f"near1_{size}"].reshape(size, WIDTH, WIDTH) for size in BRANCHES]
    branches = np.split(own, len(BRANCHES), axis=1)
    added = [branch @ step for branch, kernel in zip(branches, kernels, strict=True) for step in kernel]
    return np.hstack([embedded, own, *added])


def _normalised(rows: Floats, eps: NDArray[Any]) -> Floats:
    """Each row with mean 0 and variance 1."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    normal: Floats = rows / np.sqrt(variance + eps).astype(np.float32)[:, None]
    return normal
