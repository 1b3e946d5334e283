"""Bring a text into the one form that training and asking share."""

import re
import unicodedata
from functools import cache

from opencc import OpenCC

_LONGEST_HEAD = 200
_LONGEST_TAIL = 300
_LINK = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+")
_LONG_NUMBER = re.compile(r"[a-z]{0,4}\d[\d-]{5,}")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_RUN = re.compile(r"(.)\1{2,}")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\ufe00-\ufe0f\u200b-\u200f\u2060\ufeff\U0001f3fb-\U0001f3ff]"
)
_SPACE = re.compile(r"\s+")


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


def fold(text: str) -> str:
    """Simplified, lower case, half width; numbers become ``0``, order and phone numbers ``9``, links ``@``.

    Of a long text the head and the tail are kept: what is asked stands in one of them.
    """
    text = _shortened(unicodedata.normalize("NFKC", _shortened(text)).lower())  # one character may become 18
    text = _to_simplified().convert(_INVISIBLE.sub("", text)).replace("’", "'")
    text = _NUMBER.sub("0", _LONG_NUMBER.sub("9", _LINK.sub("@", text)))
    return _SPACE.sub(" ", _RUN.sub(r"\1\1", text)).strip()


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_HEAD + _LONGEST_TAIL:
        return text
    return f"{text[:_LONGEST_HEAD]} {text[-_LONGEST_TAIL:]}"
