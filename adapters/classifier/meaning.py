"""Sentence vectors of what a customer asks, in the light of what the bot said."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.classifier.encoder import Encoder
from adapters.classifier.folding import fold

_SCALE = 0.5
"""The length of a vector beside that of the n-grams, which is 1."""
_WEIGHT_OF_BOT = 0.5


def vectors(encoder: Encoder, asked: Sequence[tuple[str, str | None]]) -> NDArray[np.float32]:
    """A row for each text, what the bot said before it mixed in."""
    pairs = [(fold(text), fold(last_bot or "")) for text, last_bot in asked]
    sentences = sorted({sentence for pair in pairs for sentence in pair})
    places = {sentence: place for place, sentence in enumerate(sentences)}
    encoded = encoder.encode(sentences)
    rows = encoded[[places[text] for text, _ in pairs]]
    answers = [number for number, (_, bot) in enumerate(pairs) if bot]
    rows[answers] += _WEIGHT_OF_BOT * encoded[[places[pairs[number][1]] for number in answers]]
    rows *= _SCALE / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
