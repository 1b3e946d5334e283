"""Text to intent, by a small linear model trained from ``intents/*/examples.*.txt``."""

from adapters.classifier.text_classifier import TextClassifier, load

__all__ = ["TextClassifier", "load"]
