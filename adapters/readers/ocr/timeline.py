"""The steps of a refund or a parcel with their times: the newest of them is how things stand."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.readers.ocr.claims import Claim, Locale
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.statuses import STATUS_OF_PAGE, is_tab_row, status_in
from adapters.readers.ocr.times import Time
from bot.domain.vocabulary import FactName, Page

_SCORES = {"refund_status": 0.86, "shipment_status": 0.7}
"""A parcel's headline is surer than its newest event, which may be worded in many ways."""
_PAST = 0.35
_FADED = 60


@dataclass(frozen=True, slots=True)
class Event:
    time: Time
    place: Line
    texts: tuple[Line, ...]


def timeline_claims(sheet: Sheet, page: Page, locale: Locale) -> Iterator[Claim]:
    """The status that the newest event tells, and when a refund arrived."""
    for fact in STATUS_OF_PAGE.get(page, ()):
        if fact not in _SCORES:
            continue
        yield from _current_step(sheet, fact)
        events = find_events(sheet, locale)
        past = [event for event in events if not _is_to_come(event, locale)]
        if len(past) < 2:
            continue
        for event in events:
            if event not in past:
                yield Claim("expected_at", event.time.iso or "", event.place, 0.66)
        newest = _newest(past)
        if undated := _undated_step(sheet, events, newest, fact):
            yield undated
            continue
        for line in newest.texts:
            found = status_in(line.key, fact)
            if found and found[1] >= _PAST:
                yield Claim(fact, found[0], line, _SCORES[fact])
                if found[0] == "refunded":
                    yield Claim("refunded_at", newest.time.iso or "", newest.place, 0.8)
                break


def find_events(sheet: Sheet, locale: Locale) -> list[Event]:
    """Rows that bear a time of day, with what stands beside it, or else nearest to it."""
    found: list[Event] = []
    for index, row in enumerate(sheet.rows):
        for line in row:
            times = locale.times(line.text)
            if len(times) != 1 or times[0].day is None or sheet.is_label(line):
                continue
            if times[0].clock is None and (len(line.text) > 24 or len(row) < 2):
                continue  # a day alone must stand beside its event
            if any(sheet.is_label(other) for other in row):
                break
            time = times[0]
            rest = [line.part(0, time.start), line.part(time.end, len(line.text))]
            beside = [part for part in rest if re.search(r"\w{2}", part.text)]
            beside += [other for other in row if other is not line]
            texts = beside or _nearest(sheet, index, line)
            found.append(Event(time, line.part(time.start, time.end), tuple(texts)))
            break
    return found


def _nearest(sheet: Sheet, index: int, line: Line) -> list[Line]:
    above = sheet.rows[index - 1] if index else []
    below = sheet.rows[index + 1] if index + 1 < len(sheet.rows) else []
    up = line.top - max((other.bottom for other in above), default=-(10**6))
    down = min((other.top for other in below), default=10**6) - line.bottom
    return list(above if up < down else below)


def _undated_step(sheet: Sheet, events: Sequence[Event], newest: Event, fact: FactName) -> Claim | None:
    """Where the newest is on top, a step over it that bears no time yet is the one that goes on."""
    if newest is not events[0] or not newest.texts or newest.texts[0].top > newest.place.bottom:
        return None
    first = newest.texts[0]
    for line in reversed(sheet.lines):
        near = (
            0 < first.top - line.top < 6 * first.height and abs(line.left - first.left) < 0.8 * first.height
        )
        found = status_in(line.key, fact) if near and len(line.text) <= 16 else None
        if found and found[1] >= _PAST:
            return Claim(fact, found[0], line, _SCORES[fact])
    return None


def _newest(events: Sequence[Event]) -> Event:
    """Of events of one day, the last in the order that the page has them in."""
    keys = [_key(event) for event in events]
    latest = [event for event, key in zip(events, keys, strict=True) if key == max(keys)]
    return latest[-1] if keys[0] < keys[-1] else latest[0]


def _key(event: Event) -> str:
    return (event.time.iso or "").removeprefix(f"{(event.time.iso or '')[:4]}-" if _has_year(event) else "")


def _has_year(event: Event) -> bool:
    return bool(re.match(r"\d{4}-", event.time.iso or ""))


def _is_to_come(event: Event, locale: Locale) -> bool:
    """Dated after now; a day without a year is of the months around now."""
    iso = event.time.iso or ""
    now = f"{locale.now:%Y-%m-%dT%H:%M}"
    if _has_year(event):
        return iso[: len("2026-03-20")] > now[: len("2026-03-20")]
    return now[5:10] < iso[:5] and int(iso[:2]) - locale.now.month <= 1


def _current_step(sheet: Sheet, fact: FactName) -> Iterator[Claim]:
    """A row of steps whose rest is faded: the last strong one is where things are."""
    for row in sheet.rows:
        steps = [line for line in row if len(line.text) <= 18]
        if len(steps) < 3 or len(steps) < len(row) or (is_tab_row(row) and row[0].top < 0.15 * sheet.height):
            continue
        strong = _strong(steps)
        if not 0 < len(strong) < len(steps):
            continue
        found = status_in(strong[-1].key, fact)
        if found and found[1] >= 0.5:
            yield Claim(fact, found[0], strong[-1], 0.62)


def _strong(steps: Sequence[Line]) -> list[Line]:
    """The steps before the first that is much paler than the strongest."""
    strongest = max(line.strength for line in steps)
    strong: list[Line] = []
    for line in steps:
        if line.strength < strongest - _FADED:
            break
        strong.append(line)
    return strong
