"""Train the model from examples: multinomial logistic regression, calibrated on held-back folds."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from adapters.classifier.examples import Example
from adapters.classifier.features import features
from adapters.classifier.model import Model, softmax, weigh

_STRENGTH = 30.0
_FOLDS = 3


def train(examples: Sequence[Example]) -> Model:
    """The same examples give the same model."""
    intents = tuple(sorted({example.intent for example in examples}))
    rows = [features(example.text, example.last_bot) for example in examples]
    answers = np.array([intents.index(example.intent) for example in examples])
    vocabulary, rarity = _vocabulary(rows)
    matrix = _matrix(rows, vocabulary, rarity)
    temperature = _temperature(matrix, answers)
    weights, bias = _fit(matrix, answers)
    return Model(intents, vocabulary, rarity, weights, bias, temperature)


def _vocabulary(rows: Sequence[Sequence[str]]) -> tuple[dict[str, int], NDArray[np.float32]]:
    """The features that occur twice or more, and how rare each is; last, how rare an unknown one is."""
    counts = Counter(feature for row in rows for feature in row)
    names = sorted(feature for feature, count in counts.items() if count > 1)
    seen = np.array([*(counts[name] for name in names), 1], dtype=np.float64)
    rarity = np.log((1 + len(rows)) / (1 + seen)) + 1
    return {name: index for index, name in enumerate(names)}, rarity.astype(np.float32)


def _matrix(
    rows: Sequence[Sequence[str]], vocabulary: dict[str, int], rarity: NDArray[np.float32]
) -> csr_matrix:
    starts, columns = [0], []
    values: list[NDArray[np.float32]] = []
    for row in rows:
        known, weights = weigh(row, vocabulary, rarity)
        columns.extend(known)
        values.append(weights)
        starts.append(len(columns))
    return csr_matrix((np.concatenate(values), columns, starts), shape=(len(rows), len(vocabulary)))


def _fit(matrix: csr_matrix, answers: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (a row a feature, a column an intent) and bias."""
    regression = LogisticRegression(C=_STRENGTH, tol=1e-3, max_iter=300, class_weight="balanced")
    regression.fit(matrix, answers)
    weights, bias = regression.coef_, regression.intercept_
    if len(bias) == 1:  # of two classes scikit-learn keeps one side
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights.T.astype(np.float32), bias.astype(np.float32)


def _temperature(matrix: csr_matrix, answers: NDArray[np.int64]) -> float:
    """What makes the scores of examples not trained on neither too sure nor too shy.

    Neighbours in a file are often variants of one sentence, so the folds are blocks, not a shuffle.
    """
    folds = _folds(answers)
    scores, truths = [], []
    for fold in range(_FOLDS):
        weights, bias = _fit(matrix[folds != fold], answers[folds != fold])
        scores.append(matrix[folds == fold] @ weights + bias)
        truths.append(answers[folds == fold])
    held_back, truth = np.concatenate(scores), np.concatenate(truths)

    def loss(log_temperature: float) -> float:
        likely = softmax(held_back / np.exp(log_temperature))[np.arange(len(truth)), truth]
        return -float(np.log(np.maximum(likely, 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _folds(answers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each example: every intent's examples in blocks."""
    folds = np.zeros(len(answers), dtype=np.int64)
    for intent in np.unique(answers):
        of_intent = np.flatnonzero(answers == intent)
        folds[of_intent] = np.arange(len(of_intent)) * 4 * _FOLDS // len(of_intent) % _FOLDS
    return folds
