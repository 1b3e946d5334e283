"""The trained weights, and their file."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Model:
    """A linear model over named features, weighted by rarity, and over a sentence vector.

    ``rarity`` has one value a feature and, last, that of a feature never seen. ``weights`` and ``slopes``
    have a row a feature or dimension, a column an intent.
    """

    intents: tuple[str, ...]
    vocabulary: dict[str, int]
    rarity: NDArray[np.float32]
    weights: NDArray[np.float32]
    slopes: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float

    def probabilities(self, features: Sequence[str], vector: NDArray[np.float32]) -> NDArray[np.float64]:
        """How likely each intent is, in the order of ``intents``."""
        known, values = weigh(features, self.vocabulary, self.rarity)
        scores = values @ self.weights[known] + vector @ self.slopes + self.bias
        return softmax(scores / self.temperature)

    def save(self, file: Path) -> None:
        """Write the file whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(
                    stream,
                    intents=np.array(self.intents),
                    vocabulary=np.frombuffer("\n".join(self.vocabulary).encode(), dtype=np.uint8),
                    rarity=self.rarity,
                    weights=self.weights,
                    slopes=self.slopes,
                    bias=self.bias,
                    temperature=np.array(self.temperature),
                )
            os.replace(unfinished, file)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, file: Path) -> "Model":
        """Raises OSError, KeyError, ValueError, EOFError or zipfile.BadZipFile for what is no such file."""
        with np.load(file, allow_pickle=False) as arrays:
            names = arrays["vocabulary"].tobytes().decode().split("\n")
            return cls(
                intents=tuple(str(intent) for intent in arrays["intents"]),
                vocabulary={name: index for index, name in enumerate(names)},
                rarity=arrays["rarity"],
                weights=arrays["weights"],
                slopes=arrays["slopes"],
                bias=arrays["bias"],
                temperature=float(arrays["temperature"]),
            )


def weigh(
    features: Sequence[str], vocabulary: Mapping[str, int], rarity: NDArray[np.float32]
) -> tuple[list[int], NDArray[np.float32]]:
    """The known features of a text and their values.

    The unknown ones count in its length, so that a text of unknown words pulls in no direction.
    """
    known = [vocabulary[feature] for feature in features if feature in vocabulary]
    values = rarity[known]
    unknown = (len(features) - len(known)) * float(rarity[-1]) ** 2
    length = (float(values @ values) + unknown) ** 0.5
    return known, values / (length or 1.0)


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result
