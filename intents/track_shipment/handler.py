"""Say where a parcel is."""

from bot.domain.intent import Ask, Outcome, Term, Value, intent
from bot.domain.matching import Nothing, One, Several
from bot.domain.records import Order, Shipment

NOT_YET = frozenset({"unpaid", "paid", "to_ship"})


@intent("track_shipment")
async def track(ask: Ask) -> Outcome:
    if not ask.identified:
        return ask.say("unidentified")
    match ask.find(ask.records.orders):
        case Nothing(asked):
            return ask.say("not_found" if asked else "none")
        case Several(orders):
            travelling = [o for o in orders if o.shipment and o.shipment.status != "delivered"]
            if len(travelling) == 1:
                return _whereabouts(ask, travelling[0])
            sent: list[Order] = travelling or [o for o in orders if o.shipment] or list(orders)
            latest_first = sorted(sent, key=lambda o: o.ordered_at, reverse=True)
            return ask.choose(latest_first)
        case One(order):
            return _whereabouts(ask, order)


def _whereabouts(ask: Ask, order: Order) -> Outcome:
    if order.shipment is None:
        key = "not_shipped" if order.status in NOT_YET else "no_parcel"
        return ask.say(key, order, order_no=order.order_no, status=Term(f"order_status.{order.status}"))
    return _parcel(ask, order, order.shipment)


def _parcel(ask: Ask, order: Order, parcel: Shipment) -> Outcome:
    last = parcel.last_event
    known: dict[str, Value] = {
        "order_no": order.order_no,
        "carrier": parcel.carrier,
        "tracking_no": parcel.tracking_no,
        "event": last.text if last else Term("no_event"),
        "event_at": last.at if last else order.ordered_at,
    }
    if parcel.status == "delivered":
        if order.ref in ask.told:  # told that it was delivered, the customer comes back: it did not arrive
            return ask.hand_off("policy", "not_received", **known)
        delivered = parcel.delivered_at or (last.at if last else None)
        return ask.say("delivered", order, **known, at=delivered or Term("not_known"))
    if parcel.status == "exception":
        return ask.hand_off("policy", "exception", **known)
    return ask.say(parcel.status, order, **known)
