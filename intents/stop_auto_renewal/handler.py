"""Turn off the renewal of a subscription."""

from bot.domain.intent import Ask, Outcome, Term, intent
from bot.domain.matching import Nothing, One, Several
from bot.domain.records import Subscription


@intent("stop_auto_renewal")
async def stop(ask: Ask) -> Outcome:
    if not ask.identified:
        return ask.say("unidentified")
    match ask.find(ask.records.subscriptions):
        case Nothing(asked):
            return ask.say("not_found" if asked else "none")
        case Several(found):
            running = [s for s in found if s.auto_renewal]
            if len(running) > 1:
                return ask.choose(running)
            return _stop(ask, running[0]) if running else ask.say("all_off")
        case One(subscription):
            return _stop(ask, subscription)


def _stop(ask: Ask, s: Subscription) -> Outcome:
    next_charge = s.next_charge_at or Term("not_known")
    if not s.auto_renewal:
        return ask.say("already_off", s, plan=s.plan)
    if s.managed_by != "shop":
        return ask.say("elsewhere", s, plan=s.plan, next=next_charge, steps=Term(f"steps.{s.managed_by}"))
    period = Term(f"period.{s.period}", s.period)
    return ask.propose(
        "stop_auto_renewal", s.id, s, plan=s.plan, amount=s.money, period=period, next=next_charge
    )
