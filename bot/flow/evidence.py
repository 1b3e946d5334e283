"""What the picture says beside what the customer's records say."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from bot.domain.clues import plain
from bot.domain.matching import record_shown
from bot.domain.reading import Fact, Reading, rows
from bot.domain.records import Charge, Order, Record, Records, Refund, Subscription
from bot.domain.session import Evidence
from bot.domain.times import PartialTime
from bot.domain.vocabulary import MONEY_FACTS, TIME_FACTS, FactName, Verdict
from bot.flow.language import simplified

COMPARED: tuple[FactName, ...] = (
    "amount",
    "refund_amount",
    "order_no",
    "tracking_no",
    "charged_at",
    "ordered_at",
    "next_charge_at",
    "plan",
    "product",
    "carrier",
    "auto_renewal",
    "order_status",
    "refund_status",
    "shipment_status",
)
"""The facts that a shop keeps records of."""

_LEGIBLE = 0.85
"""The part of a name's letters that has to be seen, in their order, to know it by."""

Recorded = dict[FactName, tuple[str | datetime | date | Decimal, ...]]
"""What the records say of each fact; a fact may be right in more than one way."""


def compare(readings: Sequence[Reading], records: Records) -> tuple[Evidence, ...]:
    """Every comparable fact of every picture, with its verdict. Pixels never prove and never disprove."""
    return tuple(line for reading in readings for row in rows(reading) for line in _compare_one(row, records))


def _compare_one(reading: Reading, records: Records) -> list[Evidence]:
    record = record_shown(reading, records)
    recorded = recorded_of(record, records) if record else {}
    lines = []
    for name in COMPARED:
        for fact in _distinct(reading.all(name)):
            if record is None:
                lines.append(_not_found(fact))
            elif name in recorded:
                lines.append(_line(fact, recorded[name], record))
    return lines


def _not_found(fact: Fact) -> Evidence:
    return Evidence(fact=fact.name, shown=fact.value, recorded=None, verdict="not_found", record=None)


def _distinct(facts: Sequence[Fact]) -> list[Fact]:
    return list({fact.value: fact for fact in facts}.values())


def _line(fact: Fact, recorded: tuple[str | datetime | date | Decimal, ...], record: Record) -> Evidence:
    agreeing = next((value for value in recorded if agrees(fact, value, record)), None)
    if agreeing is None and fact.name == "order_no" and isinstance(record, Charge):
        return _not_found(fact)  # a payment platform has numbers of its own for the same charge
    verdict: Verdict = "mismatch" if agreeing is None else "match"
    value = recorded[0] if agreeing is None else agreeing
    return Evidence(
        fact=fact.name, shown=fact.value, recorded=_written(value), verdict=verdict, record=record.ref
    )


def recorded_of(record: Record, records: Records) -> Recorded:
    """What the records say of a record and of what belongs to it."""
    match record:
        case Charge():
            subscription = records.subscription(record.subscription)
            order = records.order(record.order_no)
            facts: Recorded = {
                "amount": (record.amount,),
                "order_no": tuple(filter(None, (record.order_no, record.charge_no))),
                "charged_at": (record.charged_at,),
            }
            if subscription:
                renewal = recorded_of(subscription, records)
                facts |= {
                    name: renewal[name]
                    for name in ("plan", "next_charge_at", "auto_renewal")
                    if name in renewal
                }
            if order and order.items:
                facts["product"] = tuple(item.title for item in order.items)
            return facts
        case Subscription():
            facts = {
                "amount": (record.price,),
                "plan": _names_of(record, records),
                "auto_renewal": ("on" if record.auto_renewal else "off",),
            }
            if record.next_charge_at:
                facts["next_charge_at"] = (record.next_charge_at,)
            if charges := records.charges_of(record):
                facts["charged_at"] = tuple(c.charged_at for c in charges)
            return facts
        case Order():
            facts = {
                "amount": (record.total,),
                "order_no": (record.order_no,),
                "ordered_at": (record.ordered_at,),
                "order_status": (record.status,),
            }
            if record.items:
                facts["product"] = tuple(item.title for item in record.items)
            if shipment := record.shipment:
                facts |= {
                    "tracking_no": (shipment.tracking_no,),
                    "carrier": (shipment.carrier,),
                    "shipment_status": (shipment.status,),
                }
            return facts
        case Refund():
            charge = records.charge(record.charge_no)
            facts = {"refund_amount": (record.amount,), "refund_status": (record.status,)}
            if charge:
                facts["amount"] = (charge.amount, record.amount)
                if charge.order_no:
                    facts["order_no"] = (charge.order_no,)
            return facts
        case _:
            return {}


def _names_of(subscription: Subscription, records: Records) -> tuple[str, ...]:
    """A plan goes by its own name and by what its charges call it: 黄金会员连续包月, 黄金会员自动续费."""
    described = (charge.description for charge in records.charges_of(subscription))
    return tuple(dict.fromkeys([subscription.plan, *filter(None, described)]))


def agrees(fact: Fact, recorded: str | datetime | date | Decimal, record: Record) -> bool:
    """Whether a fact says the same as the record, as far as it says anything."""
    if fact.name in MONEY_FACTS:
        currency = getattr(record, "currency", None)
        return _decimal(fact.value) == recorded and (not (fact.unit and currency) or fact.unit == currency)
    if fact.name in TIME_FACTS and isinstance(recorded, datetime | date):
        said = PartialTime.parse(fact.value)
        return said is not None and said.fits(recorded)
    shown, kept = plain(fact.value), plain(str(recorded))
    if fact.name in ("plan", "product", "carrier"):
        return _is_named(simplified(shown), simplified(kept))
    return shown == kept


def _is_named(shown: str, kept: str) -> bool:
    """A name is often cut short or printed with more; a letter of it may not have been legible."""
    if shown in kept or kept in shown:
        return True
    letters = iter(kept)
    return len(shown) >= _LEGIBLE * len(kept) and all(letter in letters for letter in shown)


def _decimal(value: str) -> Decimal | None:
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _written(value: str | datetime | date | Decimal) -> str:
    match value:
        case Decimal():
            return f"{value:.2f}"
        case datetime():
            return value.replace(tzinfo=None).isoformat()
        case _:
            return str(value)
