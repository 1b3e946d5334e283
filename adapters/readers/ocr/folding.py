"""Text made alike, so that one word list serves both scripts and both widths."""

import unicodedata
from functools import cache

import opencc

_SIMPLIFIED = opencc.OpenCC("t2s")


@cache
def _fold_character(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).lower()
    if len(folded) != 1:
        return character
    simple = _SIMPLIFIED.convert(folded) if folded > "\u2e80" else folded
    return simple if len(simple) == 1 else folded


def fold(text: str) -> str:
    """Text to match with: half-width, lower case, simplified; as long as the original, so places agree."""
    return "".join(map(_fold_character, text))


@cache
def _simplify_character(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character)
    simple = _SIMPLIFIED.convert(folded) if folded > "\u2e80" else folded
    return simple if len(simple) == 1 else character


def simplified(text: str) -> str:
    """As ``fold``, but capitals stay: names begin with them."""
    return "".join(map(_simplify_character, text))


def is_traditional(text: str) -> bool:
    """Whether a text is in traditional characters: a few that simplified Chinese does not have."""
    return sum(_simplify_character(character) != character for character in text if character > "\u4e00") >= 3
