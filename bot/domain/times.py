"""Times as pictures and people say them: parts of a date, relative days."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

CLOCKS_DIFFER = timedelta(minutes=5)
"""A payment platform and a shop write down the same payment some minutes apart."""

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
        return cls(month or 1, day or 1, year, hour, minute)

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
    "昨天": 1,
    "昨日": 1,
    "昨晚": 1,
    "今天": 0,
    "今日": 0,
    "今早": 0,
    "今晚": 0,
    "刚刚": 0,
    "刚才": 0,
    "day before yesterday": 2,
    "yesterday": 1,
    "last night": 1,
    "today": 0,
    "this morning": 0,
    "just now": 0,
}
_RELATIVE = re.compile("|".join(map(re.escape, sorted(_DAYS_BACK, key=len, reverse=True))), re.I)
_AGO = re.compile(r"(\d{1,2}|[一二两三四五六七八九十])\s*天前|(\d{1,2})\s+days?\s+ago", re.I)
_DIGITS = {c: n for n, c in enumerate("一二三四五六七八九十", 1)} | {"两": 2}
_WEEKDAY = re.compile(
    r"(上个?)?(?:周|星期|礼拜)([一二三四五六日天])|\b(last\s+)?(mon|tues|wednes|thurs|fri|satur|sun)day\b",
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
_CALENDAR = re.compile(
    r"(?:(?P<y>20\d\d)\s*[年\-/.]\s*)?(?P<m>\d{1,2})\s*(?:月|[-/])\s*(?P<d>\d{1,2})\s*[日号號]?(?!\d|[.:]\d)"
    r"|(?P<d2>\d{1,2})\s*[号號](?!码|楼|线)"
    r"|\b(?P<en>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+(?P<d3>\d{1,2})(?:st|nd|rd|th)?\b"
    r"|\b(?P<d4>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<en2>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class SaidDay:
    """A day that a text names, and where in the text it stands."""

    day: PartialTime
    span: tuple[int, int]


def days_in(text: str, today: date) -> tuple[SaidDay, ...]:
    """The days that a customer's text names: 昨天, 三天前, 上周五, 11月3号, 3号, yesterday, Nov 3."""
    said: list[SaidDay] = []
    for found in _RELATIVE.finditer(text):
        back = _DAYS_BACK[found.group().lower()]
        said.append(SaidDay(PartialTime.of(today - timedelta(days=back)), found.span()))
    for found in _AGO.finditer(text):
        number = found.group(1) or found.group(2)
        back = _DIGITS.get(number) or int(number)
        said.append(SaidDay(PartialTime.of(today - timedelta(days=back)), found.span()))
    for found in _WEEKDAY.finditer(text):
        weekday = _WEEKDAYS[(found.group(2) or found.group(4)).lower()]
        back = (today.weekday() - weekday) % 7
        if found.group(1):
            back = today.weekday() - weekday + 7
        said.append(SaidDay(PartialTime.of(today - timedelta(days=back)), found.span()))
    for found in _CALENDAR.finditer(text):
        day = _calendar_day(found, today)
        if day:
            said.append(SaidDay(day, found.span()))
    return tuple(said)


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
    return PartialTime(month, number, year) if 1 <= month <= 12 and 1 <= number <= 31 else None
