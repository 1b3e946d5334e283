"""Say how an order stands."""

from bot.domain.intent import Ask, Outcome, Term, Value, intent
from bot.domain.matching import Nothing, One, Several
from bot.domain.records import Order

UNDER_WAY = frozenset({"unpaid", "paid", "to_ship", "shipped", "refunding"})


@intent("check_order")
async def check(ask: Ask) -> Outcome:
    if not ask.identified:
        return ask.say("unidentified")
    match ask.find(ask.records.orders):
        case Nothing(asked):
            return ask.say("not_found" if asked else "none")
        case Several(orders):
            under_way = [o for o in orders if o.status in UNDER_WAY]
            if len(under_way) == 1:
                return _state(ask, under_way[0])
            return ask.choose(sorted(under_way or orders, key=lambda o: o.ordered_at, reverse=True))
        case One(order):
            return _state(ask, order)


def _state(ask: Ask, order: Order) -> Outcome:
    known: dict[str, Value] = {
        "order_no": order.order_no,
        "items": order.goods or Term("goods"),
        "total": order.money,
        "at": order.ordered_at,
    }
    parcel = order.shipment
    if order.status == "shipped" and parcel:
        last = parcel.last_event
        return ask.say(
            "shipped",
            order,
            **known,
            carrier=parcel.carrier,
            tracking_no=parcel.tracking_no,
            event=last.text if last else Term("no_event"),
        )
    if order.status in ("delivered", "completed") and parcel and parcel.delivered_at:
        return ask.say("received", order, **known, delivered_at=parcel.delivered_at)
    if order.status == "shipped":
        return ask.say("state", order, **known, status=Term("order_status.shipped"))
    if order.status in ("unpaid", "paid", "to_ship", "cancelled", "refunding", "refunded"):
        return ask.say(order.status, order, **known)
    return ask.say("state", order, **known, status=Term(f"order_status.{order.status}"))
