"""The trained weights, and their file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.classifier.features import Features
from adapters.classifier.first_layer import CommonPieces
from adapters.classifier.kept import keep, kept

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Model:
    """A linear model over hashed features, weighted by rarity, and over a sentence vector.

    ``vocabulary`` ascends. ``rarity`` has one value a feature and, last, that of a feature never seen.
    ``weights`` and ``slopes`` have a row a feature or dimension, a column an intent.
    """

    intents: tuple[str, ...]
    vocabulary: Features
    rarity: Floats
    weights: Floats
    slopes: Floats
    bias: Floats
    temperature: float
    common: CommonPieces
    """The word pieces of the examples."""

    def probabilities(self, features: Features, vector: Floats) -> NDArray[np.float64]:
        """How likely each intent is, in the order of ``intents``."""
        known, values = self._weighed(features)
        scores = values @ self.weights[known] + vector @ self.slopes + self.bias
        return softmax(scores / self.temperature)

    def _weighed(self, features: Features) -> tuple[NDArray[np.intp], Floats]:
        """The places of the known features of a text, and their values.

        The unknown ones count in its length, so that a text of unknown words pulls in no direction.
        """
        places = np.minimum(self.vocabulary.searchsorted(features), len(self.vocabulary) - 1)
        known = places[self.vocabulary[places] == features]
        values = self.rarity[known]
        unknown = (len(features) - len(known)) * float(self.rarity[-1]) ** 2
        length = (float(values @ values) + unknown) ** 0.5
        return known, values / np.float32(length or 1.0)

    def save(self, file: Path) -> None:
        keep(
            file,
            {
                "intents": np.array(self.intents),
                "vocabulary": self.vocabulary,
                "rarity": self.rarity,
                "weights": self.weights,
                "slopes": self.slopes,
                "bias": self.bias,
                "temperature": np.array(self.temperature),
                "common_numbers": self.common.numbers,
                "common_rows": self.common.rows,
                "common_scale": self.common.scale,
            },
        )

    @classmethod
    def load(cls, file: Path) -> "Model | None":
        """The model in the file, or None where there is no sound one."""
        arrays = kept(file, tables=["common_rows"])
        if arrays is None:
            return None
        return cls(
            intents=tuple(arrays["intents"].tolist()),
            vocabulary=arrays["vocabulary"],
            rarity=arrays["rarity"],
            weights=arrays["weights"],
            slopes=arrays["slopes"],
            bias=arrays["bias"],
            temperature=float(arrays["temperature"]),
            common=CommonPieces(arrays["common_numbers"], arrays["common_rows"], arrays["common_scale"]),
        )


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result
