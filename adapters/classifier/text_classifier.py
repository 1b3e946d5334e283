"""Text to intent, trained on this machine from the example files."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from adapters.classifier.encoder import Encoder, encoder_version
from adapters.classifier.examples import ExampleSet, read_examples
from adapters.classifier.features import features
from adapters.classifier.folding import fold
from adapters.classifier.meaning import vectors
from adapters.classifier.model import Model
from bot.domain.intent import Alternative, IntentMatch
from bot.domain.vocabulary import IntentName

Floats = NDArray[np.float32]

_TRAINER = 5
"""Part of the cached file's name: to be raised whenever features or training change."""
_ALTERNATIVES = 3
_SENTENCES_KEPT = 64


class TextClassifier:
    """A ``bot.domain.ports.Classifier``."""

    def __init__(self, model: Model, encoder: Encoder) -> None:
        self._model = model
        self._encoder = encoder.with_common(model.common)
        self._encoded = lru_cache(_SENTENCES_KEPT)(self._encode)  # the bot often says the same
        self.classify("?")  # the first text is slow: better none that a customer waits for

    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        """The intent of one text, seen in the light of what the bot said last."""
        asked, said = fold(text), fold(last_bot or "")
        if not asked:
            return IntentMatch("out_of_scope", round(1 / len(self._model.intents), 4))
        vector = vectors(self._encode_all, [(asked, said)])[0]
        likely = self._model.probabilities(features(asked, said), vector)
        ranked = [
            Alternative(cast(IntentName, self._model.intents[index]), round(float(likely[index]), 4))
            for index in likely.argsort(kind="stable")[::-1][: _ALTERNATIVES + 1]
        ]
        return IntentMatch(ranked[0].intent, ranked[0].confidence, tuple(ranked[1:]))

    def _encode_all(self, sentences: Sequence[str]) -> Floats:
        return np.stack([self._encoded(sentence) for sentence in sentences])

    def _encode(self, sentence: str) -> Floats:
        vector: Floats = self._encoder.encode([sentence])[0]
        return vector


def load(examples: Traversable, cache: Path, installed: Path | None = None) -> TextClassifier:
    """The classifier of these examples: read from the cache folder, or trained and kept there.

    ``installed``: a folder in which an installation may have trained it before; it is only read.
    From here on numpy multiplies on one thread: at such sizes a second one only waits for the first.
    Raises ValueError where ``examples`` holds fewer than two intents.
    """
    threadpool_limits(limits=1, user_api="blas")
    example_set = read_examples(examples)
    name = f"model-{_TRAINER}-{encoder_version()}-{example_set.digest[:32]}.npy"
    folder = installed if installed and (installed / name).is_file() else cache
    encoder = Encoder.open(folder)
    return TextClassifier(Model.load(folder / name) or _trained(example_set, encoder, cache / name), encoder)


def _trained(example_set: ExampleSet, encoder: Encoder, file: Path) -> Model:
    from adapters.classifier.training import train  # scipy takes a while to import

    train(example_set.examples(), encoder).save(file)
    model = Model.load(file)
    if model is None:
        raise OSError(f"{file} cannot be read back")
    return model
