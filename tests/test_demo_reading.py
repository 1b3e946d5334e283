"""The embedded reader on the demo's own pictures: what it reads is what the records say."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.orders.demo.screenshots import Screenshot, records_of, screenshots
from adapters.orders.demo.shop import demo_shop
from adapters.readers.ocr.reader import OcrReader
from bot.domain.reading import Picture
from bot.domain.records import Charge, Order, Records
from bot.domain.vocabulary import FactName, PictureId

pytestmark = pytest.mark.full

NOW = datetime(2026, 2, 5, 9, 41, tzinfo=ZoneInfo("Asia/Shanghai"))
SHOP = demo_shop(NOW)
PICTURES = {picture.name: picture for picture in screenshots(SHOP, NOW)}

Expected = set[tuple[FactName, str]]


@pytest.fixture(scope="module")
def reader() -> OcrReader:
    return OcrReader(lambda: NOW)


def renewal(records: Records) -> Charge:
    return records.charges_of(records.subscriptions[0])[0]


def order(records: Records, status: str) -> Order:
    return next(each for each in records.orders if each.status == status)


def expected(name: str, records: Records) -> tuple[str, Expected]:
    """The page, and some facts of it."""
    match name.removesuffix(".png"):
        case "renewal-bill" | "bill-hk":
            charge = renewal(records)
            at = charge.charged_at.replace(tzinfo=None).isoformat()
            return "charge_notice", {
                ("amount", str(charge.money)),
                ("charged_at", at),
                ("order_no", charge.charge_no),
            }
        case "bill-en":
            charge = renewal(records)
            return "charge_notice", {("amount", str(charge.money)), ("auto_renewal", "on")}
        case "paid-twice":
            return "charge_notice", {("amount", str(charge.money)) for charge in records.charges}
        case "subscription":
            return "subscription", {
                ("amount", str(records.subscriptions[0].money)),
                ("auto_renewal", "on"),
                ("next_charge_at", str(records.subscriptions[0].next_charge_at)),
            }
        case "order" | "order-en":
            mine = order(records, "shipped")
            return "order_detail", {
                ("amount", str(mine.money)),
                ("order_no", mine.order_no),
                ("order_status", "shipped"),
                *(("item_price", f"{item.price:.2f}") for item in mine.items),
            }
        case "logistics":
            shipment = order(records, "shipped").shipment
            assert shipment is not None
            return "logistics", {
                ("tracking_no", shipment.tracking_no),
                ("carrier", shipment.carrier),
                ("shipment_status", shipment.status),
            }
        case "refund":
            mine = order(records, "refunding")
            return "refund", {("refund_amount", str(mine.money)), ("refund_status", "processing")}
        case "payment-success":
            mine = order(records, "paid")
            return "payment_result", {
                ("amount", str(mine.money)),
                ("order_no", mine.order_no),
                ("payment_status", "success"),
            }
        case "payment-failure":
            mine = order(records, "unpaid")
            return "payment_result", {
                ("amount", str(mine.money)),
                ("order_no", mine.order_no),
                ("payment_status", "failed"),
                ("error_code", "BAL-2003"),
            }
    raise AssertionError(f"nothing is expected of {name}")


@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures_say_what_the_records_say(reader: OcrReader, name: str) -> None:
    shot: Screenshot = PICTURES[name]
    picture = Picture(id=PictureId(name), data=shot.data, mime="image/png", width=1080, height=2340)
    reading = reader.read_one(picture)
    page, facts = expected(name, records_of(SHOP, shot.customer))
    assert reading.page == page
    assert facts - {(fact.name, fact.value) for fact in reading.facts} == set()
