"""Outcomes in the customer's language: the only place where replies are put into words."""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from bot.domain.intent import Term, Value
from bot.domain.message import Reply
from bot.domain.records import Charge, Coupon, Invoice, Money, Order, Record, Records, Refund, Subscription
from bot.domain.times import PartialTime
from bot.domain.vocabulary import Language

SHARED = "shared"
"""The scope of replies that any intent may use: ``intents/replies.yml``."""

LANGUAGES = ("zh", "en")

MOST_LISTED = 3
"""Goods that a reply names before it says that there are more."""


@dataclass(frozen=True, slots=True)
class Phrase:
    text: str
    quick: tuple[str, ...] = ()

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.text) if name)


Book = Mapping[tuple[str, str, str], Phrase]
"""(scope, key, ``zh`` or ``en``) -> what is said."""


def load_book(files: Iterable[tuple[str, Traversable]]) -> Book:
    """Reads ``replies.yml`` files, each with its scope. Raises ValueError that names the scope."""
    book: dict[tuple[str, str, str], Phrase] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C where libyaml is there: ten times faster
    for scope, file in files:
        languages: dict[str, dict[str, Any]] = yaml.load(file.read_text("utf-8"), Loader=loader)  # noqa: S506  # both are safe
        if set(languages) != set(LANGUAGES):
            raise ValueError(f"{scope}: replies.yml needs exactly the languages {', '.join(LANGUAGES)}")
        for language, phrases in languages.items():
            for key, phrase in phrases.items():
                book[scope, key, language] = _phrase(phrase)
    return book


def _phrase(raw: str | dict[str, Any]) -> Phrase:
    if isinstance(raw, str):
        return Phrase(raw)
    return Phrase(raw["text"], tuple(raw.get("quick", ())))


class Wording:
    """Finds a reply by scope and key, fills it, and writes it in the customer's language and script."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def say(self, scope: str, key: str, wording: Mapping[str, Value], language: Language) -> Reply:
        """One reply. Raises KeyError where neither the scope nor the shared replies have the key."""
        phrase = self._find(scope, key, language)
        values = {name: self.value(value, language) for name, value in wording.items()}
        text = _script(phrase.text, language).format(**values)
        return Reply(text=text, quick_replies=tuple(_script(q, language) for q in phrase.quick))

    def value(self, value: Value, language: Language) -> str:
        """A value as this language writes it."""
        match value:
            case Money():
                return _money(value, language)
            case datetime():
                return f"{_day(value, language)} {value:%H:%M}"
            case date():
                return _day(value, language)
            case Term():
                return self._term(value, language)
            case tuple():
                return self._list(value, language)
            case _:
                return str(value)

    def label(self, record: Record, records: Records, language: Language) -> str:
        """A record as one of several choices: short, with what tells it apart."""
        match record:
            case Charge():
                parts: list[Value] = [record.charged_at, _what(record, records), record.money]
            case Order():
                title = record.items[0].title if record.items else ""
                parts = [record.order_no, title, Term(f"order_status.{record.status}")]
            case Subscription():
                parts = [record.plan, record.money]
            case Refund():
                currency = records.currency_of(record)
                parts = [
                    record.requested_at,
                    Money(record.amount, currency) if currency else str(record.amount),
                ]
            case Invoice():
                parts = [record.invoice_no, record.title]
            case Coupon():
                parts = [record.title]
        return " ".join(filter(None, (self.value(part, language) for part in parts)))

    def amount(self, value: str, currency: str | None, language: Language) -> str:
        """A money fact's value, with its currency where one is known."""
        return self.value(Money(Decimal(value), currency) if currency else value, language)

    def partial(self, time: PartialTime, language: Language) -> str:
        """As much of a time as is known."""
        whole = date(time.year, time.month, time.day) if time.year else None
        day = _day(whole, language) if whole else _day_of_year(time, language)
        return day if time.hour is None else f"{day} {time.hour:02}:{time.minute:02}"

    def is_button(self, text: str, key: str, place: int) -> bool:
        """Whether a text is this button of a shared reply, in any language or script."""
        said = text.strip()
        labels = [
            phrase.quick[place]
            for (scope, name, _), phrase in self._book.items()
            if (scope, name) == (SHARED, key)
        ]
        return said in labels or said in [_script(label, Language.ZH_HANT) for label in labels]

    def _find(self, scope: str, key: str, language: Language) -> Phrase:
        written = "en" if language is Language.EN else "zh"
        for place in (scope, SHARED):
            if phrase := self._book.get((place, key, written)):
                return phrase
        raise KeyError(f"no reply {key!r} in {scope} or {SHARED}")

    def _list(self, things: tuple[str, ...], language: Language) -> str:
        more = " …" if len(things) > MOST_LISTED else ""
        return (", " if language is Language.EN else "、").join(things[:MOST_LISTED]) + more

    def _term(self, term: Term, language: Language) -> str:
        try:
            return _script(self._find(SHARED, term.key, language).text, language)
        except KeyError:
            return term.otherwise or term.key.rpartition(".")[2]


def _what(charge: Charge, records: Records) -> Value:
    subscription, order = records.subscription(charge.subscription), records.order(charge.order_no)
    return charge.description or (subscription.plan if subscription else "") or (order.goods if order else "")


def _money(money: Money, language: Language) -> str:
    from babel.numbers import format_currency

    return format_currency(money.amount, money.currency, locale=_locale(language))


def _day(day: date, language: Language) -> str:
    from babel.dates import format_date

    return format_date(
        day, format="long" if language is not Language.EN else "medium", locale=_locale(language)
    )


def _day_of_year(time: PartialTime, language: Language) -> str:
    from babel.dates import format_skeleton

    leap_year = 2024  # any with a 29 February
    return format_skeleton("MMMd", date(leap_year, time.month, time.day), locale=_locale(language))


def _locale(language: Language) -> str:
    return {Language.EN: "en", Language.ZH_HANS: "zh_Hans_CN", Language.ZH_HANT: "zh_Hant_HK"}[language]


@cache
def _script(text: str, language: Language) -> str:
    """Our own words in Traditional characters; what the records say stays as the shop wrote it."""
    return _to_traditional().convert(text) if language is Language.ZH_HANT else text


@cache
def _to_traditional() -> Any:
    from opencc import OpenCC

    return OpenCC("s2hk")
