"""Train the model from examples: multinomial logistic regression, calibrated on a held-back part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from adapters.classifier.descent import least
from adapters.classifier.encoder import Encoder
from adapters.classifier.examples import Example
from adapters.classifier.features import Features, features
from adapters.classifier.folding import fold
from adapters.classifier.meaning import vectors
from adapters.classifier.model import Model, softmax

Floats = NDArray[np.float32]

_PENALTY = 1 / 30
_DOUBT = 0.02
"""About the mean of p(1 - p) over examples and intents, on which the curvature of the loss depends."""
_ROUNDS_ON_A_PART, _ROUNDS_ON_ALL = 25, 20
_BLOCKS, _HELD_BACK_EVERY = 16, 4
_FEWEST_HELD_BACK = 10
_TEMPERATURES = np.geomspace(0.3, 3, 96)


def train(examples: Sequence[Example], encoder: Encoder) -> Model:
    """The same examples give the same model."""
    intents = tuple(sorted({example.intent for example in examples}))
    asked = [(fold(example.text), fold(example.last_bot or "")) for example in examples]
    common = encoder.common_pieces([sentence for pair in asked for sentence in pair])
    vocabulary, rarity, grams = _grams([features(*pair) for pair in asked])
    whole = _Data(
        grams=grams,
        vectors=vectors(encoder.with_common(common).encode, asked),
        answers=np.array([intents.index(example.intent) for example in examples]),
    )
    held_back = _held_back(whole.answers)
    start = np.zeros((len(vocabulary) + whole.vectors.shape[1] + 1, len(intents)), dtype=np.float32)
    partly = _fit(whole.part(~held_back), start, _ROUNDS_ON_A_PART)
    temperature = _temperature(whole.part(held_back), partly)
    fitted = _fit(whole, partly, _ROUNDS_ON_ALL)
    weights, slopes, bias = np.split(fitted, [len(vocabulary), -1])
    return Model(intents, vocabulary, rarity, weights, slopes, bias[0], temperature, common)


@dataclass(frozen=True, slots=True)
class _Data:
    """Examples as numbers, a row each."""

    grams: csr_matrix
    vectors: Floats
    answers: NDArray[np.int64]

    def part(self, rows: NDArray[np.bool_]) -> "_Data":
        return _Data(self.grams[rows], self.vectors[rows], self.answers[rows])

    def scores(self, parameters: Floats) -> Floats:
        """A column an intent; the parameters' rows are n-grams, then vector, then bias."""
        grams = self.grams.shape[1]
        scores: Floats = self.grams @ parameters[:grams]
        scores += self.vectors @ parameters[grams:-1] + parameters[-1]
        return scores

    def squares(self, share: Floats) -> Floats:
        """For each parameter's row, the sum of its squared values, each example by its share."""
        grams, dense = self.grams.power(2).T @ share, (self.vectors**2).T @ share
        return np.concatenate([grams, dense, [share.sum()]], dtype=np.float32)


def _grams(rows: Sequence[Features]) -> tuple[Features, Floats, csr_matrix]:
    """The features that occur twice or more, how rare each is (last, an unknown one), and their values.

    As ``Model`` weighs them: a feature that occurs once counts in a row's length as an unknown one does.
    """
    lengths = [len(row) for row in rows]
    names, flat, counts = np.unique(np.concatenate(rows), return_inverse=True, return_counts=True)
    rarity = (np.log((1 + len(lengths)) / (1 + counts)) + 1).astype(np.float32)
    row = np.repeat(np.arange(len(lengths)), lengths)
    values = rarity[flat] / np.sqrt(np.bincount(row, rarity[flat].astype(np.float64) ** 2))[row]
    known = counts > 1
    grams = csr_matrix((values, (row, flat)), shape=(len(lengths), len(names)), dtype=np.float32)[:, known]
    unseen = np.log((1 + len(lengths)) / 2) + 1
    return names[known], np.append(rarity[known], np.float32(unseen)), grams


def _fit(data: _Data, start: Floats, rounds: int) -> Floats:
    """The parameters of least loss; every intent weighs the same, however many its examples.

    It is looked for in units of the loss's curvature, so that a frequent feature, a rare one and the bias
    come right at about the same round: 25 rounds reach what takes 100 without.
    """
    counts = np.bincount(data.answers, minlength=start.shape[1])
    share = (len(data.answers) / np.maximum(counts, 1) / len(counts))[data.answers].astype(np.float32)
    units = 1 / np.sqrt(_DOUBT * data.squares(share) + np.float32(_PENALTY))[:, None]
    columns, across = data.grams.T.tocsr(), data.vectors.T
    places = np.arange(len(share)), data.answers

    def loss(point: Floats) -> tuple[float, Floats]:
        parameters = point * units
        error = softmax(data.scores(parameters)).astype(np.float32)
        surprise = -np.log(np.maximum(error[places], 1e-30))
        error[places] -= 1
        error *= share[:, None]
        slope = _PENALTY * parameters
        slope[-1] = 0
        total = float(surprise @ share) + float(np.vdot(slope, parameters)) / 2
        slope += np.concatenate([columns @ error, across @ error, error.sum(axis=0)[None]])
        slope *= units
        return total, slope

    fitted: Floats = least(loss, start / units, rounds) * units
    return fitted


def _held_back(answers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """A quarter of every intent's examples, in blocks: neighbours in a file are often variants of one."""
    held_back = np.zeros(len(answers), dtype=np.bool_)
    for intent in np.unique(answers):
        of_intent = np.flatnonzero(answers == intent)
        block = np.arange(len(of_intent)) * _BLOCKS // len(of_intent)
        held_back[of_intent] = block % _HELD_BACK_EVERY == _HELD_BACK_EVERY - 1
    return held_back


def _temperature(data: _Data, parameters: Floats) -> float:
    """What makes the scores of examples not trained on neither too sure nor too shy."""
    scores = data.scores(parameters)
    if len(scores) < _FEWEST_HELD_BACK:
        return 1.0

    def loss(temperature: float) -> float:
        likely = softmax(scores / temperature)[np.arange(len(scores)), data.answers]
        return -float(np.log(np.maximum(likely, 1e-30)).mean())

    return float(min(_TEMPERATURES, key=loss))
