"""Which of the customer's records a picture or a phrase means: One, Several or Nothing."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Generic, TypeVar

from bot.domain.reading import Reading
from bot.domain.records import Charge, Coupon, Invoice, Order, Record, Records, Refund, Subscription
from bot.domain.times import PartialTime, days_in
from bot.domain.vocabulary import FactName, Page

R = TypeVar("R", Order, Subscription, Charge, Refund, Invoice, Coupon)


@dataclass(frozen=True, slots=True)
class One(Generic[R]):
    record: R


@dataclass(frozen=True, slots=True)
class Several(Generic[R]):
    """The likeliest first; at least two."""

    records: tuple[R, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """``asked``: something was named, and no record is like it; else there is no such record at all."""

    asked: bool


@dataclass(frozen=True, slots=True)
class Clues:
    """What a picture, or a text, says of which record is meant."""

    numbers: frozenset[str] = frozenset()
    amounts: frozenset[Decimal] = frozenset()
    times: tuple[PartialTime, ...] = ()
    names: tuple[str, ...] = ()
    page: Page | None = None

    def __bool__(self) -> bool:
        return bool(self.numbers or self.amounts or self.times or self.names)

    def over(self, other: "Clues") -> "Clues":
        """These, and for what they leave open the other ones."""
        return Clues(
            self.numbers or other.numbers,
            self.amounts or other.amounts,
            self.times or other.times,
            self.names or other.names,
            self.page or other.page,
        )


NO_CLUES = Clues()

_NUMBER_FACTS: tuple[FactName, ...] = ("order_no", "tracking_no", "transaction_no")
_AMOUNT_FACTS: tuple[FactName, ...] = ("amount", "refund_amount")
_TIME_FACTS: tuple[FactName, ...] = ("charged_at", "ordered_at", "refunded_at", "next_charge_at")
_NAME_FACTS: tuple[FactName, ...] = ("plan", "product")


def clues_of(reading: Reading) -> Clues:
    """The clues of a picture."""

    def values(names: Iterable[FactName]) -> list[str]:
        return [fact.value for fact in reading.facts if fact.name in names]

    times = (PartialTime.parse(value) for value in values(_TIME_FACTS))
    return Clues(
        numbers=frozenset(plain(number) for number in values(_NUMBER_FACTS)),
        amounts=frozenset(filter(None, map(_decimal, values(_AMOUNT_FACTS)))),
        times=tuple(time for time in times if time),
        names=tuple(plain(name) for name in values(_NAME_FACTS)),
        page=reading.page,
    )


_ID = re.compile(r"[A-Za-z]{1,6}-?\d[\dA-Za-z-]{3,}|\d{8,}")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_AMOUNT = re.compile(
    r"(?P<sign>[¥￥$€£]\s*)?(?P<n>\d{1,6}(?:,\d{3})*(?:\.\d{1,2})?)(?![\d.:：/]\d|\d)"
    r"(?P<word>\s*(?:元|块|塊|圆|蚊|rmb|cny|usd|yuan|bucks?|dollars?))?",
    re.I,
)
_OTHER_UNIT = re.compile(
    r"\s*(?:[年月日号號天个個件次点點分岁歲%％小周楼]|(?:st|nd|rd|th|days?|months?|times?|pcs)\b)", re.I
)


@dataclass(frozen=True, slots=True)
class SaidClues:
    """The clues of a text, and what is left of the text without them."""

    clues: Clues
    rest: str


def clues_in(text: str, records: Records, today: date) -> SaidClues:
    """The clues of a text: numbers, amounts, days, and names that the customer's own records bear."""
    text = unicodedata.normalize("NFKC", text)
    rest = text
    numbers = [found.group() for found in _ID.finditer(text) if not _MOBILE.fullmatch(found.group())]
    for number in numbers:
        rest = rest.replace(number, " ")
    days = days_in(rest, today)
    for said in sorted(days, key=lambda s: s.span, reverse=True):
        rest = rest[: said.span[0]] + " " + rest[said.span[1] :]
    amounts, rest = _amounts_in(rest)
    names = tuple(name for name in _names(records) if len(name) >= 2 and name in plain(text))
    return SaidClues(
        Clues(frozenset(map(plain, numbers)), frozenset(amounts), tuple(said.day for said in days), names),
        rest,
    )


def _amounts_in(text: str) -> tuple[set[Decimal], str]:
    amounts, rest = set(), text
    for found in _AMOUNT.finditer(text):
        bare = not (found["sign"] or found["word"])
        if bare and (_OTHER_UNIT.match(text, found.end("n")) or len(found["n"].partition(".")[0]) < 2):
            continue
        amount = _decimal(found["n"].replace(",", ""))
        if amount:
            amounts.add(amount)
            rest = rest.replace(found.group(), " ", 1)
    return amounts, rest


def _names(records: Records) -> Iterable[str]:
    for subscription in records.subscriptions:
        yield plain(subscription.plan)
    for order in records.orders:
        for item in order.items:
            yield plain(item.title)


def plain(text: str) -> str:
    """A name or number without what writers vary: width, case, spaces."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def _decimal(value: str) -> Decimal | None:
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class Traits:
    """What a record can be known by."""

    numbers: frozenset[str]
    amounts: frozenset[Decimal]
    times: tuple[datetime | date, ...]
    names: tuple[str, ...]
    own_number: bool
    """Whether pictures of it always bear one of its numbers: then another number means another record."""


def traits_of(record: Record, records: Records) -> Traits:
    """The traits of a record, with those of what belongs to it."""

    def traits(
        numbers: Iterable[str | None],
        amounts: Iterable[Decimal],
        times: Iterable[datetime | date | None],
        names: Iterable[str | None] = (),
        own_number: bool = True,
    ) -> Traits:
        return Traits(
            frozenset(plain(n) for n in numbers if n),
            frozenset(amounts),
            tuple(t for t in times if t),
            tuple(plain(n) for n in names if n),
            own_number,
        )

    match record:
        case Order():
            paid = [c for c in records.charges if c.order_no == record.order_no]
            parcel = record.shipment.tracking_no if record.shipment else None
            return traits(
                [record.order_no, parcel, *(c.charge_no for c in paid)],
                {record.total} | {c.amount for c in paid},
                [record.ordered_at, *(c.charged_at for c in paid)],
                [item.title for item in record.items],
            )
        case Subscription():
            paid = list(records.charges_of(record))
            return traits(
                [record.id, *(c.charge_no for c in paid)],
                {record.price} | {c.amount for c in paid},
                [record.next_charge_at, *(c.charged_at for c in paid)],
                [record.plan],
                own_number=False,
            )
        case Charge():
            order, subscription = records.order(record.order_no), records.subscription(record.subscription)
            titles = [item.title for item in order.items] if order else []
            return traits(
                [record.charge_no, record.order_no],
                {record.amount},
                [record.charged_at],
                [record.description, subscription.plan if subscription else None, *titles],
                own_number=False,
            )
        case Refund():
            charge = records.charge(record.charge_no)
            return traits(
                [record.refund_no, record.charge_no, charge.order_no if charge else None],
                {record.amount} | ({charge.amount} if charge else set()),
                [record.requested_at, record.expected_at, charge.charged_at if charge else None],
                own_number=False,
            )
        case Invoice():
            return traits([record.invoice_no, record.order_no], {record.amount}, [record.issued_at])
        case Coupon():
            return traits([record.coupon_no], {record.discount}, [record.valid_until], [record.title], False)


# Points for and against. An equal number decides; an amount and a day together do; names only help.
_NUMBER, _OTHER_NUMBER = 10.0, -10.0
_AMOUNT_EQUAL, _AMOUNT_OTHER = 3.0, -3.0
_DAY_EQUAL, _CLOCK_EQUAL, _DAY_OTHER = 3.0, 2.0, -4.0
_NAME = 1.5
ENOUGH = 1.5
_LEVEL = 1.0
"""Scores this close do not tell two records apart."""


def score(clues: Clues, traits: Traits) -> float:
    """How well clues fit a record; ENOUGH and more is a fit."""
    points = 0.0
    if clues.numbers & traits.numbers:
        points += _NUMBER
    elif clues.numbers and traits.own_number:
        points += _OTHER_NUMBER
    if clues.amounts:
        points += _AMOUNT_EQUAL if clues.amounts & traits.amounts else _AMOUNT_OTHER
    if clues.times and traits.times:
        points += max(_time_points(said, moment) for said in clues.times for moment in traits.times)
    if any(a in b or b in a for a in clues.names for b in traits.names):
        points += _NAME
    return points


def _time_points(said: PartialTime, moment: datetime | date) -> float:
    days = said.days_from(moment)
    if days == 0:
        return _DAY_EQUAL + (_CLOCK_EQUAL if said.fits_clock(moment) else 0)
    return 0.0 if days == 1 and said.hour is None else _DAY_OTHER


_PAGES_OF: dict[type, frozenset[Page]] = {
    Charge: frozenset({"charge_notice", "payment_result", "receipt"}),
    Subscription: frozenset({"subscription"}),
    Order: frozenset({"order_detail", "order_list", "logistics"}),
    Refund: frozenset({"refund"}),
    Invoice: frozenset(),
    Coupon: frozenset({"coupon"}),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """All that says which record is meant, the strongest first.

    ``chosen``: a record that the customer picked among choices. ``said``: this turn's text. ``shown``: this
    turn's picture. ``about``: what was last spoken of. ``earlier``: the last picture before. ``not_these``:
    what the customer says it is not.
    """

    chosen: str | None = None
    said: Clues = NO_CLUES
    shown: Clues = NO_CLUES
    about: tuple[str, ...] = ()
    earlier: Clues = NO_CLUES
    not_these: tuple[str, ...] = ()

    def find(self, candidates: Sequence[R], records: Records) -> One[R] | Several[R] | Nothing:
        """Which of the candidates is meant."""
        if self.chosen:
            picked = [c for c in candidates if c.ref == self.chosen]
            if picked:
                return One(picked[0])
        left = [c for c in candidates if c.ref not in self.not_these] or list(candidates)
        if self.said or self._binds(self.shown, left):
            return _best(self.said.over(self.shown), left, records)
        if self.shown and isinstance(found := _best(self.shown, left, records), One | Several):
            return found
        spoken_of = [c for c in left if c.ref in self.about]
        if spoken_of:
            return _among(spoken_of)
        if self.earlier and isinstance(found := _best(self.earlier, left, records), One | Several):
            return found
        return _among(left) if left else Nothing(asked=False)

    @staticmethod
    def _binds(shown: Clues, candidates: Sequence[R]) -> bool:
        """Whether a picture that fits none of the candidates means that there is no such record."""
        return bool(shown) and any(shown.page in _PAGES_OF[type(c)] for c in candidates)


def _among(candidates: Sequence[R]) -> One[R] | Several[R]:
    return One(candidates[0]) if len(candidates) == 1 else Several(tuple(candidates))


def _best(clues: Clues, candidates: Sequence[R], records: Records) -> One[R] | Several[R] | Nothing:
    scored = [(score(clues, traits_of(c, records)), c) for c in candidates]
    fitting = sorted(((s, c) for s, c in scored if s >= ENOUGH), key=lambda sc: -sc[0])
    if not fitting:
        return Nothing(asked=True)
    top = fitting[0][0]
    return _among([c for s, c in fitting if s > top - _LEVEL])


def record_shown(reading: Reading, records: Records) -> Record | None:
    """The record that a picture shows, for the evidence; the latest where it fits several alike."""
    clues = clues_of(reading)
    if not clues:
        return None
    kinds: tuple[Sequence[Record], ...] = (
        records.charges,
        records.subscriptions,
        records.orders,
        records.refunds,
    )
    own_kind = sorted(kinds, key=lambda kind: not (kind and reading.page in _PAGES_OF[type(kind[0])]))
    for kind in own_kind:
        scored = [(score(clues, traits_of(record, records)), record) for record in kind]
        fitting = [(s, r) for s, r in scored if s >= ENOUGH]
        if fitting:
            top = max(s for s, _ in fitting)
            return max((r for s, r in fitting if s == top), key=_latest)
    return None


def _latest(record: Record) -> float:
    match record:
        case Charge():
            return record.charged_at.timestamp()
        case Order():
            return record.ordered_at.timestamp()
        case Refund():
            return record.requested_at.timestamp()
        case _:
            return 0.0


def without_about(reference: Reference) -> Reference:
    """The same after a 不是这个: not what was last spoken of, and no longer by the picture."""
    return replace(reference, not_these=reference.about, about=(), shown=NO_CLUES, earlier=NO_CLUES)
