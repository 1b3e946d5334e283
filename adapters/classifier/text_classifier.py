"""Text to intent, trained on this machine from the example files."""

import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

from adapters.classifier.encoder import Encoder, encoder_version
from adapters.classifier.examples import ExampleSet, read_examples
from adapters.classifier.features import features
from adapters.classifier.folding import fold
from adapters.classifier.meaning import vectors
from adapters.classifier.model import Model
from bot.domain.intent import Alternative, IntentMatch
from bot.domain.vocabulary import IntentName

_TRAINER = "4"
"""Part of the cached file's name: to be raised whenever features or training change."""
_ALTERNATIVES = 3


class TextClassifier:
    """A ``bot.domain.ports.Classifier``."""

    def __init__(self, model: Model, encoder: Encoder) -> None:
        self._model = model
        self._encoder = encoder
        self.classify("?")  # the first text is slow: better none that a customer waits for

    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        """The intent of one text, seen in the light of what the bot said last."""
        if not fold(text):
            return IntentMatch("out_of_scope", round(1 / len(self._model.intents), 4))
        vector = vectors(self._encoder, [(text, last_bot)])[0]
        likely = self._model.probabilities(features(text, last_bot), vector)
        ranked = [
            Alternative(cast(IntentName, self._model.intents[index]), round(float(likely[index]), 4))
            for index in likely.argsort(kind="stable")[::-1][: _ALTERNATIVES + 1]
        ]
        return IntentMatch(ranked[0].intent, ranked[0].confidence, tuple(ranked[1:]))


def load(examples: Traversable, cache: Path, installed: Path | None = None) -> TextClassifier:
    """The classifier of these examples: read from the cache folder, or trained and kept there.

    ``installed``: a folder in which an installation may have trained it before; it is only read.
    Raises ValueError where ``examples`` holds fewer than two intents.
    """
    example_set = read_examples(examples)
    name = f"{_TRAINER}-{encoder_version()}-{example_set.digest[:32]}.npz"
    folder = installed if installed and (installed / name).is_file() else cache
    encoder = Encoder(folder)
    return TextClassifier(_kept(folder / name) or _trained(example_set, encoder, cache / name), encoder)


def _kept(file: Path) -> Model | None:
    """The model in the file, or None where there is no sound one."""
    try:
        return Model.load(file)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _trained(example_set: ExampleSet, encoder: Encoder, file: Path) -> Model:
    from adapters.classifier.training import train  # scipy takes a while to import

    model = train(example_set.examples, encoder)
    model.save(file)
    return model
