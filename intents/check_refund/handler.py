"""Say how a refund stands."""

from datetime import datetime

from bot.domain.intent import Ask, Outcome, Term, Value, intent
from bot.domain.matching import Nothing, One, Several
from bot.domain.records import Money, Refund


@intent("check_refund")
async def check(ask: Ask) -> Outcome:
    if not ask.identified:
        return ask.say("unidentified")
    match ask.find(ask.records.refunds):
        case Nothing(asked):
            return ask.say("not_found" if asked else "none")
        case Several(refunds):
            open_ones = [r for r in refunds if r.status not in ("refunded", "rejected")]
            if len(open_ones) == 1:
                return _state(ask, open_ones[0])
            return ask.choose(sorted(open_ones or refunds, key=lambda r: r.requested_at, reverse=True))
        case One(refund):
            return _state(ask, refund)


def _state(ask: Ask, refund: Refund) -> Outcome:
    currency = ask.records.currency_of(refund)
    known: dict[str, Value] = {
        "amount": Money(refund.amount, currency) if currency else f"{refund.amount:.2f}",
        "refund_no": refund.refund_no,
        "at": refund.requested_at,
        "expected": refund.expected_at or Term("not_known"),
    }
    if refund.status in ("refunded", "rejected"):
        return ask.say(refund.status, refund, **known)
    if _overdue(refund, ask.now):
        return ask.hand_off("policy", "overdue", **known)
    return ask.say(f"{refund.status}{'' if refund.expected_at else '_open'}", refund, **known)


def _overdue(refund: Refund, now: datetime) -> bool:
    expected = refund.expected_at
    if expected is None:
        return False
    return expected < now if isinstance(expected, datetime) else expected < now.date()
