"""Facts in running text: bank messages, notices, mails."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from adapters.readers.ocr.claims import Claim, Locale
from adapters.readers.ocr.folding import fold, simplified
from adapters.readers.ocr.lexicon import load
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.times import Time
from bot.domain.vocabulary import MONEY_FACTS, TIME_FACTS

_STOP = re.compile(r"[。；;！!？?]|(?<=[a-z0-9)])\.(?=\s|$)", re.IGNORECASE)
_SCORE = 0.72


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines that read on, and the place of each in the text that they make together."""

    text: str
    lines: tuple[tuple[int, Line], ...]

    def line(self, start: int, end: int) -> Line:
        """The line, or the parts of lines, where a span stands."""
        parts = [
            part
            for offset, line in self.lines
            if offset < end
            and start < offset + len(line.text)
            and (part := line.part(max(0, start - offset), min(end - offset, len(line.text)))).text
        ]
        if not parts:
            return self.lines[0][1]
        whole = joined(parts)
        longest = max(parts, key=lambda part: len(part.text))
        # A unit that slipped into the next line must not stretch the box over the whole paragraph.
        return replace(whole, box=longest.box) if len(longest.text) > 0.7 * len(whole.text) else whole


def passages(lines: Sequence[Line]) -> list[Passage]:
    """Gathers wrapped lines to paragraphs, for sentences run over lines."""
    rest = list(lines)
    found: list[Passage] = []
    while rest:
        paragraph = [rest.pop(0)]
        while (following := _next(paragraph, rest)) is not None:
            paragraph.append(following)
            rest.remove(following)
        found.append(_passage(paragraph))
    return found


def _next(paragraph: list[Line], rest: list[Line]) -> Line | None:
    last, left = paragraph[-1], min(line.left for line in paragraph)
    if len(last.text) < 8 and len(paragraph) == 1:
        return None
    for line in rest:
        below = (
            -0.3 * last.height < line.top - last.bottom < 0.8 * last.height and line.middle > last.bottom - 2
        )
        alike = 0.75 < line.height / max(1, last.height) < 1.34
        centred = abs(line.left + line.right - last.left - last.right) < 2.4 * last.height
        runs_on = last.right > line.right - 0.42 * (line.right - line.left)  # else there was room for more
        if below and alike and runs_on and (centred or abs(line.left - left) < 1.2 * last.height):
            return line
    return None


def _passage(paragraph: list[Line]) -> Passage:
    text = ""
    placed: list[tuple[int, Line]] = []
    for line in paragraph:
        if text and text[-1].isascii() and line.text[:1].isascii() and not text[-1].isspace():
            text += " "
        placed.append((len(text), line))
        text += line.text
    return Passage(text, tuple(placed))


@cache
def _patterns(kind: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    data = load("sentences.yml")[kind]
    return tuple((name, re.compile(pattern)) for name, group in data.items() for pattern in group)


@cache
def _name_patterns(name: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in load("sentences.yml")[name])


def sentence_claims(lines: Sequence[Line], locale: Locale) -> list[Claim]:
    """Amounts, times and merchants that a sentence gives a meaning to."""
    return [claim for passage in passages(lines) for claim in _passage_claims(passage, locale)]


def _passage_claims(passage: Passage, locale: Locale) -> Iterator[Claim]:
    if len(passage.text) < 7:
        return
    start = 0
    for stop in [*_STOP.finditer(passage.text), None]:
        end = stop.start() if stop else len(passage.text)
        yield from _sentence(passage, start, end, locale)
        start = stop.end() if stop else end


def _sentence(passage: Passage, start: int, end: int, locale: Locale) -> Iterator[Claim]:
    text = passage.text[start:end]
    marked = _Marked.of(text, locale)
    for name, position in marked.meant("time", "⏱"):
        time = marked.times.get(position)
        if time and time.day is None and name == "expected_at":
            time = replace(time, day=locale.now.date().isoformat())
        if time and time.iso and name in TIME_FACTS:
            forward = name in ("next_charge_at", "expected_at")
            if forward and time.relative:
                time = next((t for t in locale.times(text, True) if t.start == time.start), time)
            line = passage.line(start + time.start, start + time.end)
            yield Claim(name, time.iso or "", line, _SCORE)
    for name, position in marked.meant("money", "¤"):
        money = marked.moneys.get(position)
        if money and name in MONEY_FACTS:
            line = passage.line(start + money.start, start + money.end)
            yield Claim(name, money.value, line, _SCORE, locale.unit(money))
    if marked.moneys:
        yield from _names(passage, start, marked, "merchant")
    yield from _names(passage, start, marked, "plan")


def _names(
    passage: Passage, start: int, marked: "_Marked", name: Literal["merchant", "plan"]
) -> Iterator[Claim]:
    for pattern in _name_patterns(name):
        if match := pattern.search(marked.text) or pattern.search(marked.simple):
            first, last = marked.origin(match.start("it")), marked.origin(match.end("it"))
            line = passage.line(start + first, start + last)
            if line.text:
                yield Claim(name, line.text.strip(), line, 0.6)
            return


@dataclass(frozen=True, slots=True)
class _Marked:
    """A sentence with its times and amounts replaced by marks."""

    text: str
    key: str
    simple: str
    origins: tuple[int, ...]
    times: dict[int, Time]
    moneys: dict[int, Money]

    @classmethod
    def of(cls, text: str, locale: Locale) -> "_Marked":
        times = locale.times(text)
        moneys = [m for m in find_money(text) if not any(t.start < m.end and m.start < t.end for t in times)]
        marks: list[tuple[int, int, Time | Money]] = sorted(
            [(t.start, t.end, t) for t in times] + [(m.start, m.end, m) for m in moneys], key=lambda m: m[0]
        )
        marked, at = "", 0
        origins: list[int] = []
        found_times: dict[int, Time] = {}
        found_moneys: dict[int, Money] = {}
        for first, last, token in marks:
            marked += text[at:first]
            origins += range(at, first)
            if isinstance(token, Time):
                found_times[len(marked)] = token
                marked += "⏱"
            else:
                found_moneys[len(marked)] = token
                marked += "¤"
            origins.append(first)
            at = last
        marked += text[at:]
        origins += range(at, len(text) + 1)
        return cls(marked, fold(marked), simplified(marked), tuple(origins), found_times, found_moneys)

    def origin(self, position: int) -> int:
        return self.origins[position]

    def meant(self, kind: str, mark: str) -> Iterator[tuple[str, int]]:
        """The marks that a pattern gives a meaning to; each mark once."""
        done: set[int] = set()
        for name, pattern in _patterns(kind):
            for match in pattern.finditer(self.key):
                position = match.start("it") if "it" in pattern.groupindex and match["it"] else -1
                if position < 0:
                    position = self.key.find(mark, match.start(), match.end())
                if position >= 0 and position not in done:
                    done.add(position)
                    yield name, position
