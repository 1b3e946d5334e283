"""Text to intent, trained on this machine from the example files."""

import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

from adapters.classifier.examples import ExampleSet, read_examples
from adapters.classifier.features import features
from adapters.classifier.meaning import encoder_version, vectors
from adapters.classifier.model import Model
from bot.domain.intent import Alternative, IntentMatch
from bot.domain.vocabulary import IntentName

_TRAINER = "3"
"""Part of the cached file's name: to be raised whenever features or training change."""
_ALTERNATIVES = 3


class TextClassifier:
    """A ``bot.domain.ports.Classifier``."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.classify("")  # the encoder opens its weights at the first text, not while a customer waits

    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        """The intent of one text, seen in the light of what the bot said last."""
        likely = self._model.probabilities(features(text, last_bot), vectors([(text, last_bot)])[0])
        ranked = [
            Alternative(cast(IntentName, self._model.intents[index]), round(float(likely[index]), 4))
            for index in likely.argsort(kind="stable")[::-1][: _ALTERNATIVES + 1]
        ]
        return IntentMatch(ranked[0].intent, ranked[0].confidence, tuple(ranked[1:]))


def load(examples: Traversable, cache: Path) -> TextClassifier:
    """The classifier of these examples: read from the cache folder, or trained and kept there.

    Raises ValueError where ``examples`` holds fewer than two intents.
    """
    example_set = read_examples(examples)
    file = cache / f"{_TRAINER}-{encoder_version()}-{example_set.digest[:32]}.npz"
    return TextClassifier(_kept(file) or _trained(example_set, file))


def _kept(file: Path) -> Model | None:
    """The model in the file, or None where there is no sound one."""
    try:
        return Model.load(file)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _trained(example_set: ExampleSet, file: Path) -> Model:
    from adapters.classifier.training import train  # scipy takes a while to import

    model = train(example_set.examples)
    model.save(file)
    return model
