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
_INVISIBLE = re.compile("[\ufe00-\ufe0f\u200b-\u200f\u2060\ufeff\U0001f3fb-\U0001f3ff]")
_SPACE = re.compile(r"\s+")


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


def fold(text: str) -> str:
    """Simplified, lower case, half width; numbers become ``0``, order and phone numbers ``9``, links ``@``.

    Of a long text the head and the tail are kept: what is asked stands in one of them.
    """
    if len(text) > _LONGEST_HEAD + _LONGEST_TAIL:
        text = f"{text[:_LONGEST_HEAD]} {text[-_LONGEST_TAIL:]}"
    text = unicodedata.normalize("NFKC", text).lower()
    text = _to_simplified().convert(_INVISIBLE.sub("", text)).replace("’", "'")
    text = _NUMBER.sub("0", _LONG_NUMBER.sub("9", _LINK.sub("@", text)))
    return _SPACE.sub(" ", _RUN.sub(r"\1\1", text)).strip()
