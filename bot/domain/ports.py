"""Every extension point, on one page. An adapter stands behind each."""

from collections.abc import Sequence
from typing import Protocol

from bot.domain.intent import IntentMatch
from bot.domain.reading import Picture, Seen


class ScreenReader(Protocol):
    """Reads screenshots. Raises ``bot.domain.errors.ReaderDown`` where the next rung should try."""

    name: str

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        """One Reading a picture, in order. ``question`` and the bot's ``last_question`` may help."""
        ...


class Classifier(Protocol):
    """Text to intent. Pure and quick: it may be called on the event loop."""

    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        """The intent of one text, seen in the light of what the bot said last."""
        ...
