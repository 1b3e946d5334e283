"""Times as pictures and people say them: parts of a date, relative days."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

CLOCKS_DIFFER = timedelta(minutes=5)
"""A payment platform and a shop write down the same payment some minutes apart."""

_A_LEAP_YEAR = 2024

_PARTIAL = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::\d\d)?)?")


@dataclass(frozen=True, slots=True)
class PartialTime:
    """As much of a shop-local time as is known: the year or the time of day may be missing."""

    month: int
    day: int
    year: int | None = None
    hour: int | None = None
    minute: int | None = None

    @classmethod
    def parse(cls, value: str) -> "PartialTime | None":
        """Reads a time fact's value: ``2025-12-01T08:30:00`` down to ``12-01``. None for anything else."""
        found = _PARTIAL.fullmatch(value)
        if not found:
            return None
        year, month, day, hour, minute = (int(part) if part else None for part in found.groups())
        try:
            date(year or _A_LEAP_YEAR, month or 0, day or 0), time(hour or 0, minute or 0)
        except ValueError:
            return None  # a day that no calendar, or an hour that no clock has
        return cls(month or 0, day or 0, year, hour, minute)

    @classmethod
    def of(cls, day: date) -> "PartialTime":
        return cls(day.month, day.day, day.year)

    def days_from(self, moment: datetime | date) -> int:
        """Whole days between this day and a moment, by absolute value; without a year, the nearest year."""
        there = moment.date() if isinstance(moment, datetime) else moment
        years = (self.year,) if self.year else (there.year - 1, there.year, there.year + 1)
        return min((abs((here - there).days) for here in self._dates(years)), default=9999)

    def _dates(self, years: tuple[int, ...]) -> Iterator[date]:
        for year in years:
            try:
                yield date(year, self.month, self.day)
            except ValueError:
                continue

    def fits(self, moment: datetime | date) -> bool:
        """Whether a record's moment is the one that this says, as far as it says."""
        return self.days_from(moment) == 0 and self.fits_clock(moment) is not False

    def fits_clock(self, moment: datetime | date) -> bool | None:
        """The same for the time of day alone; None if either has none."""
        if self.hour is None or self.minute is None or not isinstance(moment, datetime):
            return None
        minutes = abs((moment.hour * 60 + moment.minute) - (self.hour * 60 + self.minute))
        return timedelta(minutes=minutes) <= CLOCKS_DIFFER


_DAYS_BACK = {
    "大前天": 3,
    "前天": 2,
    "前日": 2,
    "昨天": 1,
    "昨日": 1,
    "昨晚": 1,
    "琴日": 1,
    "尋日": 1,
    "今天": 0,
    "今日": 0,
    "今早": 0,
    "今晚": 0,
    "刚刚": 0,
    "剛剛": 0,
    "刚才": 0,
    "剛才": 0,
    "day before yesterday": 2,
    "yesterday": 1,
    "last night": 1,
    "today": 0,
    "this morning": 0,
    "just now": 0,
}
_RELATIVE = re.compile("|".join(map(re.escape, sorted(_DAYS_BACK, key=len, reverse=True))), re.I)
_AGO = re.compile(r"(\d{1,2}|[一二两兩三四五六七八九十])\s*[天日]前|(\d{1,2})\s+days?\s+ago", re.I)
_DIGITS = {c: n for n, c in enumerate("一二三四五六七八九十", 1)} | {"两": 2, "兩": 2}
_WEEKDAY = re.compile(
    r"(上[个個]?)?(?:周|週|星期|礼拜|禮拜)([一二三四五六日天])"
    r"|\b(last\s+)?(mon|tues|wednes|thurs|fri|satur|sun)day\b",
    re.I,
)
_WEEKDAYS = {c: n for n, c in enumerate("一二三四五六日")} | {"天": 6}
_WEEKDAYS |= {c: n for n, c in enumerate(("mon", "tues", "wednes", "thurs", "fri", "satur", "sun"))}
_MONTHS = {
    name: n
    for n, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_MONTH = "|".join(_MONTHS)
_CALENDAR = re.compile(
    r"(?:(?P<y>20\d\d)\s*[年\-/.]\s*)?(?P<m>\d{1,2})\s*(?:月|[-/])\s*(?P<d>\d{1,2})\s*[日号號]?"
    r"(?!\d|[.:]\d|\s*(?:天|个|個|次|分|小|工|days?|hours?|min))"
    r"|(?P<d2>\d{1,2})\s*[号號](?!码|碼|楼|樓|线|線|店|仓)"
    rf"|\b(?P<en>{_MONTH})[a-z]*\.?\s+(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\b"
    rf"|\b(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<en2>{_MONTH})",
    re.I,
)
_MONTHS_BACK = {"上上个月": 2, "上上個月": 2, "上个月": 1, "上個月": 1, "上月": 1, "这个月": 0, "這個月": 0}
_MONTHS_BACK |= {"本月": 0, "last month": 1, "this month": 0}
_WHOLE_MONTH = re.compile(
    rf"(?P<back>{'|'.join(_MONTHS_BACK)})"
    r"|(?<![\d-])(?P<m>\d{1,2})\s*月(?:份|(?=[的那扣这這付]|[,，。?？!！\s]|$))"
    rf"|\b(?:in|of|from|for)\s+(?P<en>{_MONTH})[a-z]*(?!\w|\s*\d)",
    re.I,
)
_DAY_OF_MONTH = re.compile(rf"(?P<back>{'|'.join(_MONTHS_BACK)})的?\s*(?P<d>\d{{1,2}})\s*[号號日]", re.I)
_WEEKS_BACK = {
    "上周": 1,
    "上週": 1,
    "上个星期": 1,
    "上個星期": 1,
    "上星期": 1,
    "这周": 0,
    "這週": 0,
    "本周": 0,
}
_WEEKS_BACK |= {"last week": 1, "this week": 0}
_WHOLE_WEEK = re.compile(rf"(?:{'|'.join(_WEEKS_BACK)})(?![一二三四五六日天])", re.I)
_NAMES = re.compile(
    r"(?:晚上|早上|上午|下午|中午)?\s*(?:[的嘅那这這嗰呢扣付买買下申充花被]|'?s\b|(?:charge|payment|order|refund)\b)",
    re.I,
)
_NAMED_BEFORE = re.compile(
    r"(?:是|\b(?:from|the|charged?(?: me)?|paid|bought|ordered|requested)(?: on| in)?)\s*$", re.I
)


@dataclass(frozen=True, slots=True)
class SaidDay:
    """A day, or the days of a week or month, that a text names, and where in the text it stands.

    ``names``: it says which one is meant (昨天那笔), and is not said by the way (今天能到吗).
    """

    days: tuple[PartialTime, ...]
    span: tuple[int, int]
    names: bool


def days_in(text: str, today: date) -> tuple[SaidDay, ...]:
    """The days that a customer's text names: 昨天, 三天前, 上周五, 11月3号, 3号, 上个月, yesterday, Nov 3."""
    found: list[Found] = []
    for days, span in (
        *_of_months(text, today),
        *_relative(text, today),
        *_calendar(text, today),
        *_ranges(text, today),
    ):
        if not any(start < span[1] and span[0] < end for _, (start, end) in found):
            found.append((days, span))
    alone = [span for _, span in found if not (text[: span[0]] + text[span[1] :]).strip(" ,，。?？")]
    return tuple(SaidDay(days, span, span in alone or _is_naming(text, span)) for days, span in found)


def _is_naming(text: str, span: tuple[int, int]) -> bool:
    return bool(_NAMES.match(text, span[1]) or _NAMED_BEFORE.search(text, 0, span[0]))


Found = tuple[tuple[PartialTime, ...], tuple[int, int]]


def _of_months(text: str, today: date) -> Iterator[Found]:
    """上个月15号: a day of a month that is not named by its number."""
    for found in _DAY_OF_MONTH.finditer(text):
        first = _month_back(today, _MONTHS_BACK[found["back"].lower()])
        if day := PartialTime.parse(f"{first:%Y-%m}-{int(found['d']):02}"):
            yield (day,), found.span()


def _month_back(today: date, months: int) -> date:
    """The first day of this month, or of so many before it."""
    first = today.replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def _relative(text: str, today: date) -> Iterator[Found]:
    def back(days: int) -> tuple[PartialTime, ...]:
        return (PartialTime.of(today - timedelta(days=days)),)

    for found in _RELATIVE.finditer(text):
        yield back(_DAYS_BACK[found.group().lower()]), found.span()
    for found in _AGO.finditer(text):
        number = found.group(1) or found.group(2)
        yield back(_DIGITS.get(number) or int(number)), found.span()
    for found in _WEEKDAY.finditer(text):
        weekday = _WEEKDAYS[(found.group(2) or found.group(4)).lower()]
        in_week = today.weekday() - weekday
        days = back(in_week + 7 if found.group(1) else in_week % 7)
        if found.group(3) and in_week > 0:  # last Monday, on a Tuesday: yesterday, or a week before
            days += back(in_week + 7)
        yield days, found.span()


def _calendar(text: str, today: date) -> Iterator[Found]:
    for found in _CALENDAR.finditer(text):
        if day := _calendar_day(found, today):
            yield (day,), found.span()


def _calendar_day(found: re.Match[str], today: date) -> PartialTime | None:
    part = found.groupdict()
    number = int(part["d"] or part["d2"] or part["d3"] or part["d4"])
    year = int(part["y"]) if part["y"] else None
    if part["m"]:
        month = int(part["m"])
    elif part["d2"]:  # a bare 3号 is the latest 3rd
        month = today.month if number <= today.day else (today.month - 2) % 12 + 1
    else:
        month = _MONTHS[(part["en"] or part["en2"]).lower()[:3]]
    return PartialTime.parse(f"{year}-{month:02}-{number:02}" if year else f"{month:02}-{number:02}")


def _ranges(text: str, today: date) -> Iterator[Found]:
    """Whole months and weeks, as their days."""
    for found in _WHOLE_MONTH.finditer(text):
        if found["back"]:
            first = _month_back(today, _MONTHS_BACK[found["back"].lower()])
        else:
            month = int(found["m"]) if found["m"] else _MONTHS[found["en"].lower()[:3]]
            if not 1 <= month <= 12:
                continue
            first = date(today.year - (month > today.month), month, 1)
        yield _days(first, calendar.monthrange(first.year, first.month)[1]), found.span()
    for found in _WHOLE_WEEK.finditer(text):
        monday = today - timedelta(days=today.weekday() + 7 * _WEEKS_BACK[found.group().lower()])
        yield _days(monday, 7), found.span()


def _days(first: date, count: int) -> tuple[PartialTime, ...]:
    return tuple(PartialTime.of(first + timedelta(days=n)) for n in range(count))
