"""The language and script that a customer writes."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from bot.domain.reading import Reading
from bot.domain.session import Dialogue
from bot.domain.vocabulary import Language

_HAN = re.compile(r"[㐀-鿿豈-﫿]")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_NUMBER = re.compile(r"[A-Za-z-]*\d[\w-]*", re.A)


def language_of(text: str, readings: Sequence[Reading], dialogue: Dialogue) -> Language:
    """The customer's language and script: by the text, else as before, else by the picture."""
    if _HAN.search(text):
        return _script_of(text, dialogue)
    if _LATIN.search(_NUMBER.sub(" ", text)) and not (dialogue.last and len(text) <= 3):
        return Language.EN
    if dialogue.last:
        return dialogue.last.language
    shown = next((r.language for r in readings if r.language), None)
    return Language.EN if shown == "en" else Language.ZH_HANS


def _script_of(text: str, dialogue: Dialogue) -> Language:
    """Traditional by a character that only Traditional has; a text of neither script goes on as before."""
    if _simplified().convert(text) != text:
        return Language.ZH_HANT
    neutral = _traditional().convert(text) == text
    before = dialogue.last.language if dialogue.last else Language.ZH_HANS
    return before if neutral and before is not Language.EN else Language.ZH_HANS


def simplified(text: str) -> str:
    """A text in simplified characters, whatever it was written in."""
    return str(_simplified().convert(text))


@cache
def _simplified() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")


@cache
def _traditional() -> Any:
    from opencc import OpenCC

    return OpenCC("s2t")
