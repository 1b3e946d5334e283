"""Sentence vectors of what a customer asks, in the light of what the bot said."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SCALE = 0.5
"""The length of a vector beside that of the n-grams, which is 1."""
_WEIGHT_OF_BOT = 0.5


def vectors(encode: Callable[[Sequence[str]], Floats], asked: Sequence[tuple[str, str]]) -> Floats:
    """A row for each text, what the bot said before it, if anything, mixed in. All are folded."""
    sentences = sorted({sentence for pair in asked for sentence in pair if sentence})
    places = {sentence: place for place, sentence in enumerate(sentences)}
    encoded = encode(sentences)
    rows = encoded[[places[text] for text, _ in asked]]
    answers = [number for number, (_, bot) in enumerate(asked) if bot]
    rows[answers] += _WEIGHT_OF_BOT * encoded[[places[asked[number][1]] for number in answers]]
    rows *= _SCALE / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
