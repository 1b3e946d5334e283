"""Say what a charge is, and why this much."""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.intent import Ask, Outcome, Term, Value, intent
from bot.domain.matching import Nothing, One, Several
from bot.domain.records import Charge, Money, Order, Subscription

LATELY = timedelta(days=3)
"""Who asks about 'this charge' without a word more means one of these days, if there is just one."""


@intent("explain_charge")
async def explain(ask: Ask) -> Outcome:
    if not ask.identified:
        return ask.say("unidentified")
    match ask.find(ask.records.charges):
        case One(charge):
            return explain_one(ask, charge)
        case Several(charges):
            meant = _surely_meant(ask, charges)
            return explain_one(ask, meant) if meant else ask.choose(_latest_first(charges))
        case Nothing(asked):
            return _without_charge(ask, asked)


def explain_one(ask: Ask, charge: Charge) -> Outcome:
    """The charge in the light of what it was for."""
    subscription = ask.records.subscription(charge.subscription)
    order = ask.records.order(charge.order_no)
    refund = next((r for r in ask.records.refunds if r.charge_no == charge.charge_no), None)
    if refund:
        return ask.say(
            "refunded",
            charge,
            refund,
            amount=charge.money,
            at=charge.charged_at,
            what=_what(charge, subscription, order),
            back=Money(refund.amount, charge.currency),
            status=Term(f"refund_status.{refund.status}"),
        )
    if subscription:
        return _renewal(ask, charge, subscription)
    if order:
        return ask.say(
            "order",
            charge,
            order,
            amount=charge.money,
            at=charge.charged_at,
            order_no=order.order_no,
            items=order.goods or Term("goods"),
            status=Term(f"order_status.{order.status}"),
        )
    if charge.description:
        return ask.say(
            "described", charge, amount=charge.money, at=charge.charged_at, what=charge.description
        )
    return ask.hand_off("no_answer", "unexplained", amount=charge.money, at=charge.charged_at)


def _renewal(ask: Ask, charge: Charge, subscription: Subscription) -> Outcome:
    known: dict[str, Value] = {
        "amount": charge.money,
        "at": charge.charged_at,
        "plan": subscription.plan,
        "period": Term(f"period.{subscription.period}", subscription.period),
    }
    if not subscription.auto_renewal:
        return ask.say("renewal_off", charge, subscription, **known)
    next_charge = subscription.next_charge_at or Term("not_known")
    if subscription.managed_by != "shop":
        steps = Term(f"steps.{subscription.managed_by}")
        return ask.say("renewal_elsewhere", charge, subscription, **known, next=next_charge, steps=steps)
    return ask.propose(
        "stop_auto_renewal",
        subscription.id,
        charge,
        subscription,
        key="renewal",
        intent="stop_auto_renewal",
        **known,
        next=next_charge,
    )


def _surely_meant(ask: Ask, charges: Sequence[Charge]) -> Charge | None:
    """The latest, where all are of one subscription, or, nothing said of it, where it alone is of these days."""
    latest = _latest_first(charges)
    if charges[0].subscription and len({c.subscription for c in charges}) == 1:
        return latest[0]
    if ask.reference.named:
        return None
    lately = [c for c in latest if ask.now - c.charged_at <= LATELY]
    return lately[0] if len(lately) == 1 else None


def _without_charge(ask: Ask, asked: bool) -> Outcome:
    """No charge fits; a subscription or an order may explain what will be charged."""
    match ask.find(ask.records.subscriptions):
        case One(s) if asked:
            paid = ask.records.charges_of(s)
            if paid:
                return explain_one(ask, paid[0])
    return ask.say("not_found" if asked else "none")


def _latest_first(charges: Sequence[Charge]) -> list[Charge]:
    return sorted(charges, key=lambda c: c.charged_at, reverse=True)


def _what(charge: Charge, subscription: Subscription | None, order: Order | None) -> Value:
    if subscription:
        return subscription.plan
    return (order.goods if order else ()) or charge.description or Term("goods")
