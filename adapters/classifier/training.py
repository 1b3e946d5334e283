"""Train the model from examples: multinomial logistic regression, calibrated on a held-back part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse import csr_matrix

from adapters.classifier.examples import Example
from adapters.classifier.features import features
from adapters.classifier.meaning import vectors
from adapters.classifier.model import Model, softmax, weigh

_PENALTY = 1 / 30
_ROUNDS = 100
_BLOCKS, _HELD_BACK_EVERY = 16, 4
_FEWEST_HELD_BACK = 10


def train(examples: Sequence[Example]) -> Model:
    """The same examples give the same model."""
    intents = tuple(sorted({example.intent for example in examples}))
    rows = [features(example.text, example.last_bot) for example in examples]
    vocabulary, rarity = _vocabulary(rows)
    whole = _Data(
        grams=_matrix(rows, vocabulary, rarity),
        vectors=vectors([(example.text, example.last_bot) for example in examples]),
        answers=np.array([intents.index(example.intent) for example in examples]),
    )
    held_back = _held_back(whole.answers)
    start = np.zeros((len(vocabulary) + whole.vectors.shape[1] + 1, len(intents)), dtype=np.float32)
    partly = _fit(whole.part(~held_back), start)
    temperature = _temperature(whole.part(held_back), partly)
    weights, slopes, bias = np.split(_fit(whole, partly), [len(vocabulary), -1])
    return Model(intents, vocabulary, rarity, weights, slopes, bias[0], temperature)


@dataclass(frozen=True, slots=True)
class _Data:
    """Examples as numbers, a row each."""

    grams: csr_matrix
    vectors: NDArray[np.float32]
    answers: NDArray[np.int64]

    def part(self, rows: NDArray[np.bool_]) -> "_Data":
        return _Data(self.grams[rows], self.vectors[rows], self.answers[rows])

    def scores(self, parameters: NDArray[np.float32]) -> NDArray[np.float32]:
        """A column an intent; the parameters' rows are n-grams, then vector, then bias."""
        grams = self.grams.shape[1]
        scores: NDArray[np.float32] = self.grams @ parameters[:grams]
        scores += self.vectors @ parameters[grams:-1] + parameters[-1]
        return scores


def _vocabulary(rows: Sequence[Sequence[str]]) -> tuple[dict[str, int], NDArray[np.float32]]:
    """The features that occur twice or more, and how rare each is; last, how rare an unknown one is."""
    counts = Counter(feature for row in rows for feature in row)
    names = sorted(feature for feature, count in counts.items() if count > 1)
    seen = np.array([*(counts[name] for name in names), 1], dtype=np.float64)
    rarity = np.log((1 + len(rows)) / (1 + seen)) + 1
    return {name: place for place, name in enumerate(names)}, rarity.astype(np.float32)


def _matrix(
    rows: Sequence[Sequence[str]], vocabulary: Mapping[str, int], rarity: NDArray[np.float32]
) -> csr_matrix:
    weighed = [weigh(row, vocabulary, rarity) for row in rows]
    ends = np.cumsum([0, *(len(places) for places, _ in weighed)])
    columns = np.array([place for places, _ in weighed for place in places], dtype=np.int32)
    values = np.concatenate([values for _, values in weighed])
    return csr_matrix((values, columns, ends), shape=(len(rows), len(vocabulary)), dtype=np.float32)


def _fit(data: _Data, start: NDArray[np.float32]) -> NDArray[np.float32]:
    """The parameters of least loss; every intent weighs the same, however many its examples."""
    counts = np.bincount(data.answers, minlength=start.shape[1])
    share = (len(data.answers) / np.maximum(counts, 1) / len(counts))[data.answers]
    truth = np.eye(start.shape[1], dtype=np.float32)[data.answers]
    transposed = data.grams.T.tocsr()

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(start.shape).astype(np.float32)
        likely = softmax(data.scores(parameters))
        surprise = -np.log(np.maximum(likely[np.arange(len(share)), data.answers], 1e-30))
        error = ((likely - truth) * share[:, None]).astype(np.float32)
        kept = _PENALTY * parameters
        kept[-1] = 0
        gradient = np.concatenate([transposed @ error, data.vectors.T @ error, error.sum(0)[None]]) + kept
        return float(surprise @ share + (kept * parameters).sum() / 2), gradient.ravel().astype(np.float64)

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS})
    fitted: NDArray[np.float32] = found.x.reshape(start.shape).astype(np.float32)
    return fitted


def _held_back(answers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """A quarter of every intent's examples, in blocks: neighbours in a file are often variants of one."""
    held_back = np.zeros(len(answers), dtype=np.bool_)
    for intent in np.unique(answers):
        of_intent = np.flatnonzero(answers == intent)
        block = np.arange(len(of_intent)) * _BLOCKS // len(of_intent)
        held_back[of_intent] = block % _HELD_BACK_EVERY == _HELD_BACK_EVERY - 1
    return held_back


def _temperature(data: _Data, parameters: NDArray[np.float32]) -> float:
    """What makes the scores of examples not trained on neither too sure nor too shy."""
    scores = data.scores(parameters)
    if len(scores) < _FEWEST_HELD_BACK:
        return 1.0

    def loss(log_temperature: float) -> float:
        likely = softmax(scores / np.exp(log_temperature))[np.arange(len(scores)), data.answers]
        return -float(np.log(np.maximum(likely, 1e-30)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))
