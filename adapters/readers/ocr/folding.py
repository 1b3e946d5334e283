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
    """Whether a text is in traditional characters: more than a few that simplified Chinese does not have."""
    chinese = [character for character in text if "\u4e00" <= character <= "\u9fff"]
    only_traditional = sum(_simplify_character(character) != character for character in chinese)
    return only_traditional >= max(3, 0.06 * len(chinese))
