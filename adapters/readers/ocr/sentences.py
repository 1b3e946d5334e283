"""Facts in running text: bank messages, notices, mails."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from adapters.readers.ocr.claims import Claim, Locale
from adapters.readers.ocr.folding import fold, simplified
from adapters.readers.ocr.lexicon import load, pattern, regex
from adapters.readers.ocr.lines import Line, joined
from adapters.readers.ocr.money import Money, find_money
from adapters.readers.ocr.times import Time
from bot.domain.vocabulary import MONEY_FACTS, TIME_FACTS, FactName

_ABBREVIATED = "".join(
    rf"(?<!\b{word})" for word in ("inc", "ltd", "co", "corp", "pte", "no", "st", "bal", "mr")
)
_STOP = re.compile(rf"[。；;！!？?]|(?<=[a-z0-9)]){_ABBREVIATED}\.(?=\s|$)", re.IGNORECASE)
_SCORE = 0.72
_RENEWING = re.compile(r"连续包|自动续")
_NEAR = 0.62
"""What nearness alone says weighs less than what a whole pattern says."""
_BEFORE, _AFTER = 34, 26


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
        if len(paragraph) > 1 and _goes_on_beside(last, line):
            return line
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


def _goes_on_beside(last: Line, line: Line) -> bool:
    """Whether a line was only cut in two, at a comma that is mostly white."""
    level = abs(line.middle - last.middle) < 0.35 * last.height
    return len(last.text) >= 8 and level and 0 <= line.left - last.right < 1.1 * last.height


def _passage(paragraph: list[Line]) -> Passage:
    text = ""
    placed: list[tuple[int, Line]] = []
    for index, line in enumerate(paragraph):
        if index > 1 and _goes_on_beside(paragraph[index - 1], line):
            text += "，"
        elif text and text[-1].isascii() and line.text[:1].isascii() and text[-1] not in " -/":
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


def is_renewing_plan(claim: Claim) -> bool:
    """A plan that shows by its name, wherever it stands: 摘要 黄金会员连续包月自动扣费."""
    return claim.name == "plan" and bool(_RENEWING.search(claim.line.key))


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
    moneys = list(_moneys(marked))
    names = {name for name, _, _ in moneys}
    for name, time, score in _times(marked, names, locale):
        coming = [t for t in locale.times(text, True) if t.start == time.start]
        if time.relative and coming and name in ("next_charge_at", "expected_at"):
            line = passage.line(start + time.start, start + time.end)
            yield Claim(name, coming[0].iso or "", line, score)
            continue
        yield Claim(name, time.iso or "", passage.line(start + time.start, start + time.end), score)
    for meaning, money, score in moneys:
        if meaning in MONEY_FACTS:
            line = passage.line(start + money.start, start + money.end)
            yield Claim(meaning, money.value, line, score, locale.unit(money))
    if marked.moneys or _BOUGHT.search(marked.key):
        yield from _names(passage, start, marked, "merchant")
    for fact in ("refund_status",):
        yield from _states(passage, start, marked, fact)
    for named in _NAMED:
        yield from _names(passage, start, marked, named)


def _states(passage: Passage, start: int, marked: "_Marked", fact: FactName) -> Iterator[Claim]:
    """What a sentence says of how far something has got; the first that fits."""
    for value, words in _patterns(fact):
        if match := words.search(marked.key):
            line = passage.line(start + marked.origin(match.start()), start + marked.origin(match.end()))
            yield Claim(fact, value, line, 0.52)
            return


def _moneys(marked: "_Marked") -> Iterator[tuple[str, Money, float]]:
    """Every amount with what a pattern, or else the nearest telling word, says that it is."""
    said = {position: name for name, position in marked.meant("money", "¤")}
    for position, money in marked.moneys.items():
        if position in said:
            yield said[position], money, _SCORE
        elif name := _role(marked.key, position):
            yield name, money, _NEAR


@cache
def _roles() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, pattern(words)) for name, words in load("sentences.yml")["roles"].items())


def _role(key: str, position: int) -> str | None:
    """The telling word next to an amount: before it, back to the amount before; else right after it."""
    before = key[max(0, position - _BEFORE) : position].rpartition("¤")[2]
    found = [(match.end(), name) for name, words in _roles() for match in words.finditer(before)]
    if found:
        return max(found)[1]
    after = re.split("[¤,，;；。]", key[position + 1 : position + 1 + _AFTER])[0]
    found = [(-match.start(), name) for name, words in _roles() for match in words.finditer(after)]
    return max(found)[1] if found else None


_BOUGHT = regex("sentences.bought")
_NO_PLAN = regex("sentences.no_plan")
_NAMES: tuple[FactName, ...] = ("merchant", "plan")
_NAMED: tuple[FactName, ...] = ("plan", "payment_method", "carrier", "tracking_no", "order_no")
_DEADLINE = regex("sentences.deadline")


def _times(marked: "_Marked", names: set[str], locale: Locale) -> Iterator[tuple[str, Time, float]]:
    """The times that patterns give a meaning to; the only time beside a charge is when it was made."""
    said = {position: name for name, position in marked.meant("time", "⏱")}
    if "amount" in names and not said and len(marked.times) == 1:
        position, time = next(iter(marked.times.items()))
        around = marked.key[max(0, position - 8) : position + 6]
        if time.iso and not _DEADLINE.search(around):
            yield "charged_at", time, _NEAR
        return
    for position, name in said.items():
        time = marked.times[position]
        if time.day is None and name == "expected_at":
            time = replace(time, day=locale.now.date().isoformat())
        if name == "charged_at" and marked.moneys and not names & {"amount", "refund_amount"}:
            continue  # what moved was no charge
        returned = name == "charged_at" and "refund_amount" in names and "amount" not in names
        if time.iso and name in TIME_FACTS:
            yield "refunded_at" if returned else name, time, _SCORE


_GATEWAY = regex("sentences.gateway")


def without_gateway(line: Line) -> Line:
    """Whom the money went to, without the wallet that it went through: 财付通-青禾商城."""
    gateway = _GATEWAY.match(line.text)
    return line.part(gateway.end(), len(line.text)) if gateway and gateway.end() < len(line.text) else line


def without_kind(line: Line) -> Line:
    """A plan without the kind of booking before it: 自动扣费 黄金会员."""
    kind = _KIND.match(line.text)
    return line.part(kind.end(), len(line.text)) if kind else line


_TAIL = regex("sentences.tail")
_KIND = re.compile(r"(?:自动)?(?:扣费|扣款|代扣|续费)[\s:：·-]*(?=\S{4})")


def _names(passage: Passage, start: int, marked: "_Marked", name: FactName) -> Iterator[Claim]:
    """The first name that a pattern finds, without the gateway before it and the small words after it."""
    for words in _name_patterns(name):
        for match in words.finditer(marked.simple):
            first, last = match.span("it")
            if gateway := _GATEWAY.match(marked.simple, first, last):
                first = gateway.end()
            if name == "plan" and (kind := _KIND.match(marked.simple, first, last)):
                first = kind.end()
            if tail := _TAIL.search(marked.simple, first, last):
                last = tail.start()
            if last - first < 2 or (name in _NAMES and _NOBODY.match(marked.key, first, last)):
                continue
            if name == "plan" and _NO_PLAN.search(marked.key, first, last):
                continue
            line = passage.line(start + marked.origin(first), start + marked.origin(last - 1) + 1)
            if line.text:
                yield Claim(name, line.text.strip(), line, 0.6)
                return


_NOBODY = regex("sentences.nobody")


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
        for name, words in _patterns(kind):
            for match in words.finditer(self.key):
                position = match.start("it") if "it" in words.groupindex and match["it"] else -1
                if position < 0:
                    position = self.key.find(mark, match.start(), match.end())
                if position >= 0 and position not in done:
                    done.add(position)
                    yield name, position
