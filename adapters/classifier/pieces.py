"""Cut a text into word pieces: the likeliest cut, as SentencePiece's unigram model finds it.

SentencePiece takes a quarter of a second and 20 MB in every process to build its tables. Here they are mapped,
and a piece is found by its hash, all substrings of a text at once.
"""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adapters.classifier.kept import Arrays

_UNKNOWN, _BEGIN, _END = 0, 1, 2
_LONGEST = 16
"""Characters of a piece."""
_SPACE: Final = "\u2581"
_BELOW_THE_RAREST = 10.0
"""How much less likely than the rarest piece a character is that no piece has."""
_FACTORS = np.cumprod(np.full(_LONGEST, 0x9E3779B97F4A7C15, np.uint64))
"""Of the characters of a substring, in its hash; the product wraps around."""
_LIKELY_BITS = 20
_TO_LIKELY = np.uint64(64 - _LIKELY_BITS)
"""The first bits of a hash alone tell of most substrings that they are no piece."""


def piece_arrays(model: bytes) -> Arrays:
    """The tables of ``Pieces``, out of a model of SentencePiece."""
    from sentencepiece import SentencePieceProcessor

    whole = SentencePieceProcessor(model_proto=model)
    numbers = [n for n in range(len(whole)) if not (whole.is_control(n) or whole.is_unknown(n))]
    padded = "".join(whole.id_to_piece(number).ljust(_LONGEST, "\0") for number in numbers)
    codes = np.frombuffer(padded.encode("utf-32-le"), np.uint32).reshape(-1, _LONGEST)
    hashes = (codes * _FACTORS).sum(axis=1, dtype=np.uint64)
    order = np.argsort(hashes)
    scores = np.array([whole.get_score(number) for number in numbers], np.float32)
    likely = np.zeros(2**_LIKELY_BITS, np.bool_)
    likely[hashes >> _TO_LIKELY] = True
    return {
        "hashes": hashes[order],
        "pieces": np.array(numbers, np.int32)[order],
        "scores": scores[order],
        "likely": likely,
    }


class Pieces:
    """``arrays``: as ``piece_arrays`` gives them."""

    def __init__(self, arrays: Arrays) -> None:
        self._hashes, self._pieces, self._scores = arrays["hashes"], arrays["pieces"], arrays["scores"]
        self._likely = arrays["likely"]
        self._unlikely = self._scores.min() - np.float32(_BELOW_THE_RAREST)

    def of(self, text: str) -> list[int]:
        """The numbers of a text's pieces, between those of its begin and end.

        ``text`` is NFKC, and has no other white space than single spaces between words.
        """
        if not text:
            return [_BEGIN, _END]
        marked = f"{_SPACE}{text.replace(' ', _SPACE)}"
        best, came_from, pieces = (
            [0.0] + [-np.inf] * len(marked),
            [0] * (len(marked) + 1),
            [0] * (len(marked) + 1),
        )
        for start, end, piece, score in zip(*self._found(marked), strict=True):
            if end <= len(marked) and (total := best[start] + score) > best[end]:
                best[end], came_from[end], pieces[end] = total, start, piece
        cut, end = [_END], len(marked)
        while end:
            if pieces[end] != _UNKNOWN or cut[-1] != _UNKNOWN:  # unknown characters in a row are one piece
                cut.append(pieces[end])
            end = came_from[end]
        return [_BEGIN, *reversed(cut)]

    def _found(self, text: str) -> tuple[list[int], list[int], list[int], list[float]]:
        """Start, end, number and score of the substrings that are pieces, and of single characters if not."""
        codes = np.frombuffer(text.ljust(len(text) + _LONGEST - 1, "\0").encode("utf-32-le"), np.uint32)
        hashes = (sliding_window_view(codes, _LONGEST) * _FACTORS).cumsum(axis=1, dtype=np.uint64)
        likely = self._likely[hashes >> _TO_LIKELY]
        likely[:, 0] = True
        starts, rest = likely.nonzero()
        hashes = hashes[starts, rest]
        places = np.minimum(self._hashes.searchsorted(hashes), len(self._hashes) - 1)
        pieces, scores = self._pieces[places], self._scores[places]
        unknown = self._hashes[places] != hashes
        pieces[unknown], scores[unknown] = _UNKNOWN, self._unlikely
        kept = (rest == 0) | ~unknown
        return (
            starts[kept].tolist(),
            (starts + rest + 1)[kept].tolist(),
            pieces[kept].tolist(),
            scores[kept].tolist(),
        )
