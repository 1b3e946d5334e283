"""Dates and times in a text, as ISO 8601 local, as precise as the text is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.lexicon import regex


@dataclass(frozen=True, slots=True)
class Time:
    """``day`` is ``2025-12-01`` or ``12-01`` or None; ``clock`` is ``08:30`` or ``08:30:00`` or None."""

    day: str | None
    clock: str | None
    start: int
    end: int
    relative: bool = False

    @property
    def iso(self) -> str | None:
        """None for a bare time of day: it says no day."""
        if self.day is None:
            return None
        return f"{self.day}T{self.clock}" if self.clock else self.day

    def on(self, day: "Time | None") -> "Time":
        """A bare time of day, under the header of its day."""
        if self.day is not None or day is None:
            return self
        return Time(day.day, self.clock, self.start, self.end, day.relative)

    def in_year(self, year: str | None) -> "Time":
        """A day without a year, under the header of its year."""
        if year is None or self.day is None or len(self.day) != len("12-01"):
            return self
        return Time(f"{year}-{self.day}", self.clock, self.start, self.end, self.relative)


_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may may",
            "jun june",
            "jul july",
            "aug august",
            "sep september sept",
            "oct october",
            "nov november",
            "dec december",
        ],
        1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAYS = {
    "大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "今天": 0, "今日": 0, "今晚": 0, "今早": 0,
    "明天": 1, "明日": 1, "明晚": 1, "后天": 2,
    "yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1,
}  # fmt: skip
_WEEKDAYS = {
    **{f"{prefix}{name}": day for prefix in ("周", "星期", "礼拜")
       for day, names in enumerate(("一", "二", "三", "四", "五", "六", "日天")) for name in names},
    "monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5, "sunday": 6,
    "mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6, "tues": 1, "thurs": 3,
}  # fmt: skip
_WEEKDAY = "|".join(sorted(_WEEKDAYS, key=len, reverse=True))
_HALF = r"上午|下午|晚上|凌晨|中午|早上|傍晚|清晨|夜间|晚|早"
_CLOCK = (
    rf"(?:(?P<half>{_HALF})\s?)?(?P<hour>[01]?\d|2[0-4])\s?[:点时]\s?(?P<minute>[0-5]\d|\d(?=分))分?"
    r"(?:\s?[:.]?\s?(?P<second>(?<=[:. ])[0-5]\d)秒?|(?P<second_zh>[0-5]\d)秒)?"
    r"(?:\s?(?P<meridiem>[ap])\.?\s?m\b\.?)?(?!\d)"
)
_CLOCK_SHORT = r"(?P<hour>1[0-2]|0?[1-9])\s?(?P<meridiem>[ap])\.?m\b\.?"
_SHORT_ZH = rf"(?P<half>{_HALF})\s?(?P<hour>[01]?\d|2[0-4])\s?[点时](?!\d)"
_SPAN = r"\s?(?:个|天|日内|小时|周|次|件|元|工作|business|working|days?|hours?|weeks?|months?|hrs?)"
_YEAR = r"(?P<year>20\d\d|19\d\d)"
_M, _D = r"(?P<month>1[0-2]|0?[1-9])", r"(?P<day>3[01]|[12]\d|0?[1-9])"
_MM, _DD = r"(?P<month>1[0-2]|0[1-9])", r"(?P<day>3[01]|[12]\d|0[1-9])"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d){_YEAR}\s?年\s?{_M}\s?月\s?{_D}\s?[日号]?",
        rf"(?<!\d){_YEAR}\s?(?P<mark>[-/.])\s?{_M}\s?(?P=mark)\s?(?:{_DD}|(?P<day1>[1-9])(?!\d))",
        rf"(?<![\d.]){_YEAR}{_MM}{_DD}(?=\D|$|\d\d:|(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?(?!\d))",
        rf"(?<!\d)(?P<roc>1[0-3]\d)\s?[年/.-]\s?{_M}\s?[月/.-]\s?{_D}(?!\d)日?",
        rf"(?<![a-z])(?P<name>{_MONTH})\.?\s?{_D}(?:st|nd|rd|th)?(?!\d)(?:\s?,?\s?{_YEAR}(?!\d))?",
        rf"(?<!\d){_D}(?:st|nd|rd|th)?\s?(?:of\s)?-?(?P<name>{_MONTH})(?![a-z])\.?"
        rf"(?:\s?,?-?\s?{_YEAR}(?!\d)|-(?P<short>2\d)(?!\d))?",
        rf"(?<![\d./-])(?P<a>[0-3]?\d)(?P<mark>[/.-])(?P<b>[0-3]?\d)(?P=mark){_YEAR}(?!\d)",
        rf"(?<![\d./-])(?P<short>2\d)(?P<mark>[-/.年]){_MM}[-/.月]{_DD}(?!\d)日?",
        r"(?<![\d./-])(?P<a>[0-3]?\d)(?P<mark>[/-])(?P<b>[0-3]?\d)(?P=mark)(?P<short>2\d)(?![\d./-])",
        rf"(?<!\d){_M}\s?月\s?{_D}\s?[日号]",
        rf"(?<![\d./:-])(?P<a>0?[1-9]|[12]\d|3[01])(?P<mark>[-/])(?P<b>0?[1-9]|[12]\d|3[01])(?:(?=\d\d:)|(?![\d./%-]|{_SPAN}))",
    )
)
_RELATIVE = re.compile(
    rf"(?<![a-z])(?:(?P<word>{'|'.join(sorted(_DAYS, key=len, reverse=True))})|"
    rf"(?P<which>上|下|本|这|last |next |this )?(?P<weekday>{_WEEKDAY})(?![a-z一-龥]?会员|末|期|年))(?![a-z])"
)
_AGO = regex("times.ago")
_CLOCKS = tuple(re.compile(pattern) for pattern in (_CLOCK, _SHORT_ZH, _CLOCK_SHORT))
_COMPACT = re.compile(r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?P<second>[0-5]\d)?(?!\d)")
_UNTIL = re.compile(r"\s?[-–—~至到]\s?(?:[01]?\d|2[0-4])\s?[:点时]")
_BETWEEN = re.compile(rf"(?:[\s,.·|()\-]|t|at|on|于|当天|日|(?:{_WEEKDAY})(?![a-z]))*", re.ASCII)


def find_times(text: str, now: datetime, forward: bool = False, day_first: bool = False) -> list[Time]:
    """Every date or time of day in a text.

    ``forward``: a weekday means the coming one, not the last. ``day_first``: 01/12/2025 is in December.
    """
    key = fold(text)
    found: list[Time] = []
    taken = 0
    days = list(_days(key, now, forward, day_first))
    dates = [(start, end) for _, start, end, relative in days if not relative]
    for day, first, last, relative in sorted(days, key=lambda d: (d[1], d[1] - d[2])):
        if relative and any(first - 8 < e and s < last + 8 for s, e in dates):
            continue  # the weekday of a date that is printed beside it
        if first < taken:
            continue
        start, end, clock = _with_clock(key, first, last, taken)
        found.append(Time(day, clock, start, end, relative))
        taken = end
    for match, clock in _all_clocks(key):
        if not any(t.start < match.end() and match.start() < t.end for t in found):
            found.append(Time(None, clock, match.start(), match.end()))
    found.extend(_ago(key, now))
    return sorted(found, key=lambda time: time.start)


def _with_clock(key: str, start: int, end: int, taken: int) -> tuple[int, int, str | None]:
    """Looks for the time of day that belongs to a date: after it, else before it."""
    if end - start == len("20251201") and (match := _COMPACT.match(key, end)):
        return start, match.end(), _clock(match)
    gap = _BETWEEN.match(key, end)
    after = gap.end() if gap else end
    for pattern in _CLOCKS:
        for place in (after, end):
            if match := pattern.match(key, place):
                if _UNTIL.match(key, match.end()):
                    return start, end, None  # a span of hours: what is sure is the day
                return start, match.end(), _clock(match)
    for match, clock in _all_clocks(key[taken:start]):
        if _BETWEEN.fullmatch(key[taken:start], match.end()):
            return taken + match.start(), end, clock
    return start, end, None


def _all_clocks(key: str) -> Iterator[tuple[re.Match[str], str]]:
    done: list[re.Match[str]] = []
    for pattern in _CLOCKS:
        for match in pattern.finditer(key):
            if match.start() and key[match.start() - 1] in "0123456789:.":
                continue
            if not any(d.start() < match.end() and match.start() < d.end() for d in done):
                done.append(match)
                yield match, _clock(match)


def _clock(match: re.Match[str]) -> str:
    parts = match.groupdict()
    hour = int(parts["hour"])
    half, meridiem = parts.get("half"), parts.get("meridiem")
    if ((half in ("下午", "晚上", "傍晚", "夜间", "晚") or meridiem == "p") and hour < 12) or (
        half == "中午" and hour < 11
    ):
        hour += 12
    elif (meridiem == "a" or half in ("凌晨", "上午")) and hour == 12:
        hour = 0
    clock = f"{hour % 24:02d}:{int(parts.get('minute') or 0):02d}"
    second = parts.get("second") or parts.get("second_zh")
    return f"{clock}:{second}" if second else clock


def _days(key: str, now: datetime, forward: bool, day_first: bool) -> Iterator[tuple[str, int, int, bool]]:
    for pattern in _DATES:
        for match in pattern.finditer(key):
            if day := _day(match.groupdict(), day_first):
                yield day, match.start(), match.end(), False
    for match in _RELATIVE.finditer(key):
        if match["word"]:
            moment = now + timedelta(days=_DAYS[match["word"]])
        else:
            moment = _weekday(now, _WEEKDAYS[match["weekday"]], (match["which"] or "").strip(), forward)
        yield moment.date().isoformat(), match.start(), match.end(), True


def _weekday(now: datetime, weekday: int, which: str, forward: bool) -> datetime:
    monday = now - timedelta(days=now.weekday())
    if which in ("下", "next"):
        return monday + timedelta(days=7 + weekday)
    if which in ("上", "last"):
        return monday + timedelta(days=weekday - 7)
    if which in ("本", "这", "this"):
        return monday + timedelta(days=weekday)
    ahead = (weekday - now.weekday()) % 7
    return now + timedelta(days=ahead if forward or ahead == 0 else ahead - 7)


def _day(parts: dict[str, str | None], day_first: bool) -> str | None:
    year = parts.get("year")
    if parts.get("short"):
        year = f"20{parts['short']}"
    if parts.get("roc"):
        year = str(int(parts["roc"] or 0) + 1911)
    if parts.get("a"):
        a, b = int(parts["a"] or 0), int(parts["b"] or 0)
        dotted = parts.get("mark") == "." or (day_first and parts.get("mark") == "/")
        month, day = (b, a) if a > 12 or (dotted and b <= 12) else (a, b)
    else:
        name = parts.get("name")
        month = _MONTHS[name] if name else int(parts["month"] or 0)
        day = int(parts.get("day") or parts.get("day1") or 0)
    try:
        datetime(int(year or 2024), month, day)  # noqa: DTZ001 - only asks whether there is such a day
    except ValueError:
        return None
    return f"{year}-{month:02d}-{day:02d}" if year else f"{month:02d}-{day:02d}"


def _ago(key: str, now: datetime) -> Iterator[Time]:
    for match in _AGO.finditer(key):
        count = 0 if match["now"] else int(match["count"]) if match["count"].isdigit() else 1
        unit = (match["unit"] or "m")[0]
        if unit in "天d":
            day = now - timedelta(days=count)
            yield Time(day.date().isoformat(), None, match.start(), match.end(), True)
        else:
            moment = now - (timedelta(hours=count) if unit in "小h" else timedelta(minutes=count))
            yield Time(moment.date().isoformat(), f"{moment:%H:%M}", match.start(), match.end(), True)
