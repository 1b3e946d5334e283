"""Which of the customer's records a picture or a phrase means: One, Several or Nothing."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, TypeVar

from bot.domain.clues import NO_CLUES, Clues, clues_of, plain
from bot.domain.reading import RECORD_PAGES, Reading
from bot.domain.records import Charge, Coupon, Invoice, Order, Record, Records, Refund, Subscription
from bot.domain.times import PartialTime
from bot.domain.vocabulary import Page

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
            of_charge = traits_of(charge, records) if charge else traits([], [], [])
            return traits(
                [record.refund_no, record.charge_no, *of_charge.numbers],
                {record.amount} | of_charge.amounts,
                [record.requested_at, record.expected_at, *of_charge.times],
                of_charge.names,
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
    if clues.rows:
        return max(score(row, traits) for row in clues.rows)
    points = 0.0
    if (clues.numbers | clues.platform_numbers) & traits.numbers:
        points += _NUMBER
    elif clues.numbers and (traits.own_number or _same_make(clues.numbers, traits.numbers)):
        points += _OTHER_NUMBER
    if clues.amounts:
        points += _AMOUNT_EQUAL if clues.amounts & traits.amounts else _AMOUNT_OTHER
    if clues.times and traits.times:
        points += max(_time_points(said, moment) for said in clues.times for moment in traits.times)
    if any(a in b or b in a for a in map(plain, clues.names) for b in traits.names):
        points += _NAME
    return points


_MAKE = re.compile(r"([^\d]*)(\d+)")


def _same_make(shown: Iterable[str], own: Iterable[str]) -> bool:
    """Whether a number is made as the record's own ones are: then it is of another record of this shop."""
    return bool({_make(number) for number in shown} & {_make(number) for number in own})


def _make(number: str) -> tuple[str, int]:
    """The letters that it begins with; without letters, how long it is."""
    found = _MAKE.match(number)
    letters, digits = found.groups() if found else (number, "")
    return letters, 0 if letters else len(digits)


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

    ``chosen``: a record that the customer picked among choices. ``said``: this turn's text. ``shown``: the
    picture that is spoken of. ``about``: what was last spoken of. ``earlier``: the last picture before.
    ``not_these``: what the customer says it is not.
    """

    chosen: str | None = None
    said: Clues = NO_CLUES
    shown: Clues = NO_CLUES
    about: tuple[str, ...] = ()
    earlier: Clues = NO_CLUES
    not_these: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the customer has said or shown which one, not only that there is one."""
        return bool(self.chosen or self.said or self.shown)

    def find(self, candidates: Sequence[R], records: Records) -> One[R] | Several[R] | Nothing:
        """Which of the candidates is meant."""
        picked = [c for c in candidates if c.ref == self.chosen] or _with(self.chosen, candidates, records)
        if picked:
            return _among(picked)
        left = [c for c in candidates if c.ref not in self.not_these]
        if self.said:
            found = _best(self.said.over(self.shown), left, records)
            if not self.said.soft or not isinstance(found, Nothing):
                return found
        if self.shown:
            found = _shown(self.shown, left, records)
            if rules_out(self.shown) or not isinstance(found, Nothing):
                return found
        spoken_of = [c for c in left if c.ref in self.about]
        spoken_of = spoken_of or [c for ref in self.about for c in _with(ref, left, records)]
        if spoken_of:
            return _among(spoken_of)
        if self.earlier and not isinstance(found := _shown(self.earlier, left, records), Nothing):
            return found
        return _among(left) if left else Nothing(asked=bool(candidates))


def rules_out(shown: Clues) -> bool:
    """Whether a picture that fits no record means that there is no such record."""
    return bool(shown.numbers) or (bool(shown) and shown.page in RECORD_PAGES)


def exactly(target: str, records: Records) -> Reference:
    """The one record of this number; nothing else, also when it is gone."""
    ref = next((r.ref for r in records.all() if r.ref.partition(" ")[2] == target), None)
    return Reference(chosen=ref) if ref else Reference(said=Clues(numbers=frozenset({plain(target)})))


def fits(clues: Clues, ref: str, records: Records) -> bool:
    """Whether clues can be of this record."""
    record = records.by_ref(ref)
    return record is not None and score(clues, traits_of(record, records)) >= ENOUGH


def _among(candidates: Sequence[R]) -> One[R] | Several[R]:
    distinct = list({c.ref: c for c in candidates}.values())
    return One(distinct[0]) if len(distinct) == 1 else Several(tuple(distinct))


def _best(clues: Clues, candidates: Sequence[R], records: Records) -> One[R] | Several[R] | Nothing:
    scored = [(score(clues, traits_of(c, records)), c) for c in candidates]
    fitting = sorted(((s, c) for s, c in scored if s >= ENOUGH), key=lambda sc: -sc[0])
    if not fitting:
        return Nothing(asked=True)
    top = fitting[0][0]
    return _among([c for s, c in fitting if s > top - _LEVEL])


def _shown(clues: Clues, candidates: Sequence[R], records: Records) -> One[R] | Several[R] | Nothing:
    """The best by its own traits, else what belongs to the record that the picture shows."""
    found = _best(clues, candidates, records)
    if isinstance(found, Nothing) and (record := _record_of(clues, records)):
        related = _with(record.ref, candidates, records)
        return _among(related) if related else found
    return found


def _with(ref: str | None, candidates: Sequence[R], records: Records) -> list[R]:
    """The candidates that belong with a record: an order and its payments, a charge and its refund."""
    record = records.by_ref(ref) if ref else None
    keys = _keys(record, records) if record else frozenset[str]()
    return [c for c in candidates if keys & _keys(c, records)]


def _keys(record: Record, records: Records) -> frozenset[str]:
    """The orders, charges and subscriptions that a record has to do with."""
    match record:
        case Order() | Invoice():
            keys: list[str | None] = [record.order_no]
        case Subscription():
            keys = [record.id]
        case Charge():
            keys = [record.charge_no, record.order_no, record.subscription]
        case Refund():
            charge = records.charge(record.charge_no)
            keys = [record.charge_no, charge.order_no if charge else None]
        case Coupon():
            keys = []
    return frozenset(filter(None, keys))


def record_shown(reading: Reading, records: Records) -> Record | None:
    """The record that a picture shows, for the evidence; the latest where it fits several alike."""
    return _record_of(clues_of(reading), records)


def _record_of(clues: Clues, records: Records) -> Record | None:
    kinds: tuple[Sequence[Record], ...] = (
        records.charges,
        records.subscriptions,
        records.orders,
        records.refunds,
    )
    own_kind = sorted(kinds, key=lambda kind: not (kind and clues.page in _PAGES_OF[type(kind[0])]))
    for kind in own_kind if clues else ():
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
