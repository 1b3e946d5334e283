"""Intents: what a customer wants done now."""

from dataclasses import dataclass

from bot.domain.vocabulary import IntentName


@dataclass(frozen=True, slots=True)
class Alternative:
    """An intent that was thought of, and how likely it is (0 to 1)."""

    intent: IntentName
    confidence: float


@dataclass(frozen=True, slots=True)
class IntentMatch:
    """The likeliest intent of a text. ``alternatives`` are the next ones, the likeliest first."""

    intent: IntentName
    confidence: float
    alternatives: tuple[Alternative, ...] = ()
