"""What the classifier looks at: n-grams of the text, and of a short answer beside what the bot said."""

import re
from collections.abc import Iterable, Iterator
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.uint32]

_HAN = re.compile(r"[\u3400-\u9fff]")
_PIECE = re.compile(r"[a-z]+(?:'[a-z]+)*|[@09]|[\u3400-\u9fff]+|[^\sa-z@09\u3400-\u9fff]")
_CLAUSE_END = re.compile(r"[,.!?;，。！？；、~]+|\b(?:but|so|and then)\b|但是|所以|不过")
_ASKS_IN_CHINESE = re.compile(
    r"[吗么吧嘛][?？]?\s*$|[吗么嘛]\?|是否|要不要|是不是|能不能|可不可以|需不需要|好不好|对吧"
)
_OPENS_IN_CHINESE = re.compile(r"什么|哪|多少|几|怎么|如何|请提供|请发|请问您|请告诉|请描述")
_ASKS_IN_ENGLISH = re.compile(
    r"\b(?:shall|should|would|will|do|does|did|is|are|was|were|can|could|may|have|has|want|ready|ok|okay|right)\b[^?.!]*\?"
)
_OPENS_IN_ENGLISH = re.compile(r"\b(?:what|which|when|where|who|how|why|please (?:send|tell|give|share))\b")


def features(text: str, last_bot: str = "") -> Features:
    """The hashes of the distinct features of one text; both texts are folded.

    A prefix before ``:`` keeps the kinds apart.
    """
    found = {*_of_text(text), *_of_last_clause(text)}
    if last_bot:
        found.update(_of_answer(text, last_bot))
    return np.fromiter((crc32(feature.encode()) for feature in sorted(found)), np.uint32, len(found))


def _of_text(text: str) -> Iterator[str]:
    pieces = _PIECE.findall(text)
    words = [piece for piece in pieces if not _HAN.match(piece)]
    for piece in pieces:
        if _HAN.match(piece):
            yield from (f"h:{gram}" for gram in _grams(piece, 1, 4))
        elif piece.isalpha():
            yield from (f"c:{gram}" for gram in _grams(f"<{piece}>", 3, 5))
    yield from (f"w:{word}" for word in words)
    yield from (
        f"b:{a} {b}" for a, b in zip(["^", *pieces], [*pieces, "$"], strict=True) if len(a) + len(b) < 24
    )


def _of_last_clause(text: str) -> Iterator[str]:
    """The last ask wins over the story before it."""
    clauses = [clause for clause in _CLAUSE_END.split(text) if len(clause.strip()) > 1]
    if len(clauses) > 1:
        yield from (
            f"l:{feature}" for feature in _of_text(clauses[-1]) if not feature.startswith(("b:", "c:"))
        )


def _grams(text: str, shortest: int, longest: int) -> Iterator[str]:
    for size in range(shortest, longest + 1):
        for start in range(len(text) - size + 1):
            yield text[start : start + size]


def _of_answer(text: str, last_bot: str) -> Iterator[str]:
    """A short text means what the question before it makes of it."""
    asked = _kind_of_question(last_bot)
    size = _size(text)
    echo = _echo(text, last_bot)
    yield from (f"q:{asked}", f"q:{asked} {size}", f"q:{asked} {size} {echo}")
    if size != "long":
        yield from (f"a:{asked} {feature}" for feature in _of_text(text) if not feature.startswith("c:"))


def _kind_of_question(last_bot: str) -> str:
    """``yesno``, ``open`` or ``none``."""
    if _ASKS_IN_CHINESE.search(last_bot):
        return "yesno"
    if _ASKS_IN_ENGLISH.search(last_bot) and not _OPENS_IN_ENGLISH.search(last_bot):
        return "yesno"
    opens = _OPENS_IN_CHINESE.search(last_bot) or _OPENS_IN_ENGLISH.search(last_bot)
    return "open" if opens or last_bot.endswith("?") else "none"


def _size(text: str) -> str:
    """How long a text is, one Chinese character counting half a word."""
    pieces = _PIECE.findall(text)
    length = sum(len(piece) / 2 if _HAN.match(piece) else 1 for piece in pieces)
    return "tiny" if length <= 3 else "short" if length <= 6 else "long"


def _echo(text: str, last_bot: str) -> str:
    """Whether the answer takes up words of the question."""
    said = set(_content(text))
    return "same" if said & set(_content(last_bot)) else "other" if said else "empty"


def _content(text: str) -> Iterable[str]:
    for piece in _PIECE.findall(text):
        if _HAN.match(piece):
            yield from _grams(piece, 2, 2) if len(piece) > 1 else ()
        elif len(piece) > 3:
            yield piece[:5]
