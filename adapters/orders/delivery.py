"""When a parcel arrived, where the shop gave no time of its own."""

import re

from bot.domain.records import Order

_SAYS_DELIVERED = re.compile(
    r"签收|簽收|已送达|已送達|妥投|已取件|已领取|delivered|signed for", re.IGNORECASE
)
_BUT_NOT = re.compile(
    r"未签收|未簽收|拒签|拒簽|待签收|待簽收|not delivered|undelivered|to be delivered", re.IGNORECASE
)


def with_delivery_time(order: Order) -> Order:
    """Takes the time of the event that says delivered; of the last event, if none says so in known words."""
    shipment = order.shipment
    if shipment is None or shipment.status != "delivered" or shipment.delivered_at is not None:
        return order
    telling = [e for e in shipment.events if _SAYS_DELIVERED.search(e.text) and not _BUT_NOT.search(e.text)]
    last = max(telling, key=lambda e: e.at, default=shipment.last_event)
    if last is None:
        return order
    delivered = shipment.model_copy(update={"delivered_at": last.at})
    return order.model_copy(update={"shipment": delivered})
