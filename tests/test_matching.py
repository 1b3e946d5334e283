"""Which records a picture or a phrase means: clues, days, scores, and the choice among candidates."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.domain.clues import NO_CLUES, Clues, clues_in, clues_of, plain
from bot.domain.matching import (
    ENOUGH,
    Nothing,
    One,
    Reference,
    Several,
    record_shown,
    score,
    traits_of,
    without_about,
)
from bot.domain.records import Charge, Customer, Item, Order, Records, Refund, Shipment, Subscription
from bot.domain.times import PartialTime, days_in
from bot.domain.vocabulary import CustomerId
from tests.shop import spelt_reading

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2025, 12, 2)  # a Tuesday
ME = CustomerId("me")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def charge(
    no: str, amount: str, when: str, subscription: str | None = None, order: str | None = None
) -> Charge:
    return Charge(
        charge_no=no,
        customer=ME,
        order_no=order,
        subscription=subscription,
        amount=Decimal(amount),
        currency="CNY",
        charged_at=at(when),
    )


GOLD = Subscription(
    id="SUB-1",
    customer=ME,
    plan="黄金会员连续包月",
    period="month",
    price=Decimal("88.00"),
    currency="CNY",
    auto_renewal=True,
    next_charge_at=date(2026, 1, 1),
)
SHIRT = Order(
    order_no="2025112800104",
    customer=ME,
    status="shipped",
    currency="CNY",
    total=Decimal("129.00"),
    ordered_at=at("2025-11-28T10:00"),
    items=(Item(title="纯棉短袖T恤", price=Decimal("129.00")),),
    shipment=Shipment(carrier="顺丰速运", tracking_no="SF1234567890104", status="in_transit"),
)
NOVEMBER = charge("CH-1011", "88.00", "2025-11-01T08:30", "SUB-1")
DECEMBER = charge("CH-1012", "88.00", "2025-12-01T08:30", "SUB-1")
FOR_SHIRT = charge("CH-1050", "129.00", "2025-11-28T10:01", order="2025112800104")
BACK = Refund(
    refund_no="RF-1",
    charge_no="CH-1050",
    amount=Decimal("129.00"),
    status="processing",
    requested_at=at("2025-11-30T10:00"),
)
RECORDS = Records(
    customer=Customer(id=ME),
    orders=(SHIRT,),
    subscriptions=(GOLD,),
    charges=(NOVEMBER, DECEMBER, FOR_SHIRT),
    refunds=(BACK,),
)


@pytest.mark.parametrize(
    ("value", "moment", "days", "clock"),
    [
        ("2025-12-01T08:30:12", "2025-12-01T08:30:00", 0, True),
        ("2025-12-01T08:35", "2025-12-01T08:30:00", 0, True),
        ("2025-12-01T08:36", "2025-12-01T08:30:00", 0, False),
        ("2025-12-01", "2025-12-01T08:30:00", 0, None),
        ("12-01", "2025-12-01T08:30:00", 0, None),
        ("12-01T08:30", "2025-12-01T08:30:00", 0, True),
        ("12-31", "2026-01-01T00:05:00", 1, None),
        ("01-01", "2025-12-31T23:50:00", 1, None),
        ("2024-12-01", "2025-12-01T08:30:00", 365, None),
        ("02-29", "2024-02-29T08:00:00", 0, None),
    ],
)
def test_a_partial_time_beside_a_moment(value: str, moment: str, days: int, clock: bool | None) -> None:
    said = PartialTime.parse(value)
    assert said is not None
    assert (said.days_from(at(moment)), said.fits_clock(at(moment))) == (days, clock)


@pytest.mark.parametrize(
    "value", ["", "昨天", "2025/12/01", "2025-12-01 08:30", "12", "02-30", "2025-02-29", "00-10"]
)
def test_what_is_no_time(value: str) -> None:
    assert PartialTime.parse(value) is None


@pytest.mark.parametrize(
    ("text", "today", "days"),
    [
        ("昨天那笔", "2025-12-02", ["2025-12-01"]),
        ("昨天那笔", "2025-12-01", ["2025-11-30"]),
        ("前天买的", "2026-01-01", ["2025-12-30"]),
        ("大前天", "2025-12-02", ["2025-11-29"]),
        ("琴日嗰筆", "2025-12-02", ["2025-12-01"]),
        ("三天前", "2025-12-02", ["2025-11-29"]),
        ("兩日前", "2025-12-02", ["2025-11-30"]),
        ("10 days ago", "2025-12-02", ["2025-11-22"]),
        ("yesterday's", "2024-03-01", ["2024-02-29"]),
        ("the day before yesterday", "2025-12-02", ["2025-11-30"]),
        ("上周五扣的", "2025-12-02", ["2025-11-28"]),
        ("上個星期五", "2025-12-02", ["2025-11-28"]),
        ("周一那笔", "2025-12-02", ["2025-12-01"]),
        ("on Friday", "2025-12-02", ["2025-11-28"]),
        ("last monday", "2025-12-02", ["2025-12-01", "2025-11-24"]),
        ("last friday", "2025-12-02", ["2025-11-28"]),
        ("12月1号", "2025-12-02", ["12-01"]),
        ("2025年11月3日", "2025-12-02", ["2025-11-03"]),
        ("2025-11-03", "2025-12-02", ["2025-11-03"]),
        ("11/3", "2025-12-02", ["11-03"]),
        ("1号扣的", "2025-12-02", ["12-01"]),
        ("15号那笔", "2025-12-02", ["11-15"]),
        ("31号那笔", "2026-01-02", ["12-31"]),
        ("上个月15号的", "2025-12-02", ["2025-11-15"]),
        ("上個月3號嗰筆", "2025-12-20", ["2025-11-03"]),
        ("本月1日", "2025-12-02", ["2025-12-01"]),
        ("Nov 3", "2025-12-02", ["11-03"]),
        ("3rd of November", "2025-12-02", ["11-03"]),
        ("等了1-2天", "2025-12-02", []),
        ("3号线", "2025-12-02", []),
        ("13月40日", "2025-12-02", []),
    ],
)
def test_days_in_a_text(text: str, today: str, days: list[str]) -> None:
    found = [day for said in days_in(text, date.fromisoformat(today)) for day in said.days]
    assert [written(day) for day in found] == days


def written(day: PartialTime) -> str:
    return (f"{day.year}-" if day.year else "") + f"{day.month:02}-{day.day:02}"


@pytest.mark.parametrize(
    ("text", "today", "first", "last"),
    [
        ("上个月那笔", "2025-12-31", "2025-11-01", "2025-11-30"),
        ("上個月那筆", "2025-03-31", "2025-02-01", "2025-02-28"),
        ("last month's", "2026-01-15", "2025-12-01", "2025-12-31"),
        ("上上个月的", "2026-01-15", "2025-11-01", "2025-11-30"),
        ("这个月扣的", "2025-12-02", "2025-12-01", "2025-12-31"),
        ("11月那笔", "2025-12-02", "2025-11-01", "2025-11-30"),
        ("12月份", "2026-01-02", "2025-12-01", "2025-12-31"),
        ("the one from November", "2025-12-02", "2025-11-01", "2025-11-30"),
        ("上周扣的", "2025-12-02", "2025-11-24", "2025-11-30"),
        ("last week", "2025-12-02", "2025-11-24", "2025-11-30"),
    ],
)
def test_months_and_weeks_in_a_text(text: str, today: str, first: str, last: str) -> None:
    (said,) = days_in(text, date.fromisoformat(today))
    assert (written(said.days[0]), written(said.days[-1])) == (first, last)


@pytest.mark.parametrize(
    ("text", "numbers", "amounts", "names", "soft"),
    [
        ("88那笔是什么", [], ["88"], [], False),
        ("扣了我88", [], ["88"], [], False),
        ("¥1,299.00怎么回事", [], ["1299.00"], [], False),
        ("why was I charged $98", [], ["98"], [], False),
        ("呢筆98蚊", [], ["98"], [], False),
        ("188那笔", [], ["188"], [], False),
        ("iPhone 15 到哪了", [], [], [], True),
        ("我129买的", [], ["129"], [], True),
        ("买了30个月", [], [], [], True),
        ("等了20分钟", [], [], [], True),
        ("订单2025112800104", ["2025112800104"], [], [], False),
        ("sf1234567890104 到哪了", ["sf1234567890104"], [], [], False),
        ("CH-1012是什么", ["ch-1012"], [], [], False),
        ("我的手机号是13800000001", [], [], [], True),
        ("T恤到了吗", [], [], ["t恤"], True),
        ("短袖那单", [], [], ["短袖"], True),
        ("黄金会员怎么关", [], [], ["黄金"], True),
        ("自动续费怎么关", [], [], [], True),
        ("我的会员", [], [], [], True),
    ],
)
def test_clues_in_a_text(
    text: str, numbers: list[str], amounts: list[str], names: list[str], soft: bool
) -> None:
    clues = clues_in(text, RECORDS, TODAY).clues
    found = (sorted(clues.numbers), sorted(map(str, clues.amounts)), sorted(clues.names), clues.soft)
    assert found == (numbers, amounts, names, soft)


@pytest.mark.parametrize(
    ("picture", "fits"),
    [
        ({"amount": "88.00", "charged_at": "2025-12-01T08:30"}, True),
        ({"amount": "88.00", "charged_at": "12-01"}, True),
        ({"amount": "88.00"}, True),
        ({"amount": "188.00"}, False),
        ({"amount": "188.00", "charged_at": "2025-12-01T08:30"}, True),
        ({"amount": "188.00", "charged_at": "2025-12-01"}, False),
        ({"amount": "88.00", "charged_at": "2025-12-05"}, False),
        ({"amount": "88.00", "charged_at": "2025-12-02"}, True),
        ({"amount": "88.00", "charged_at": "2025-12-01", "order_no": "CH-1012"}, True),
        ({"amount": "188.00", "charged_at": "2025-11-05", "order_no": "CH-1012"}, True),
        ({"amount": "88.00", "charged_at": "2025-12-01T08:30", "order_no": "CH-2012"}, False),
        ({"amount": "88.00", "charged_at": "2025-12-01T08:30", "order_no": "20251201220014123"}, True),
        ({"amount": "88.00", "charged_at": "2025-12-01T08:30", "transaction_no": "CH-2012"}, True),
        ({"plan": "黄金会员"}, True),
        ({"plan": "钻石会员"}, False),
        ({"merchant": "青禾商城"}, False),
    ],
)
def test_a_picture_beside_a_charge(picture: dict[str, str], fits: bool) -> None:
    clues = clues_of(spelt_reading({"page": "charge_notice", **picture}))
    assert (score(clues, traits_of(DECEMBER, RECORDS)) >= ENOUGH) is fits


def test_an_order_is_ruled_out_by_another_number() -> None:
    clues = clues_of(
        spelt_reading(
            {"page": "order_detail", "order_no": "999", "amount": "129.00", "ordered_at": "2025-11-28T10:00"}
        )
    )
    assert score(clues, traits_of(SHIRT, RECORDS)) < ENOUGH


def test_each_row_of_a_list_is_a_clue_of_its_own() -> None:
    rows = [{"amount": "88.00", "charged_at": "2025-10-09"}, {"amount": "129.00", "charged_at": "2025-12-01"}]
    clues = clues_of(spelt_reading({"page": "charge_notice", "rows": rows}))
    assert score(clues, traits_of(DECEMBER, RECORDS)) < ENOUGH


FOREIGN = clues_of(spelt_reading({"page": "charge_notice", "amount": "588.00", "charged_at": "2025-11-30"}))
OWN_ORDER = clues_of(spelt_reading({"page": "order_detail", "order_no": "2025112800104"}))
PARCEL = clues_of(spelt_reading({"page": "logistics", "tracking_no": "SF1234567890104"}))
CHAT = clues_of(spelt_reading({"page": "chat", "amount": "7.00"}))


def test_which_record_is_meant() -> None:
    charges, orders = RECORDS.charges, RECORDS.orders

    def found(reference: Reference, candidates: tuple[Charge, ...] = charges) -> object:
        return reference.find(candidates, RECORDS)

    assert found(Reference(chosen="charge CH-1011", shown=FOREIGN)) == One(NOVEMBER)
    assert found(Reference(chosen="subscription SUB-1")) == Several((NOVEMBER, DECEMBER))
    assert found(Reference(chosen="order 2025112800104")) == One(FOR_SHIRT)
    assert found(Reference()) == Several(charges)
    assert found(Reference(), ()) == Nothing(asked=False)
    assert found(Reference(shown=FOREIGN)) == Nothing(asked=True)
    assert found(Reference(shown=CHAT)) == Several(charges)
    assert found(Reference(shown=OWN_ORDER)) == One(FOR_SHIRT)
    assert found(Reference(about=("charge CH-1011",))) == One(NOVEMBER)
    assert found(Reference(about=("order 2025112800104",))) == One(FOR_SHIRT)
    assert found(Reference(earlier=FOREIGN)) == Several(charges)
    assert found(Reference(earlier=FOREIGN, about=("charge CH-1011",))) == One(NOVEMBER)
    assert found(Reference(not_these=("charge CH-1011", "charge CH-1012"))) == One(FOR_SHIRT)
    assert found(Reference(not_these=("charge CH-1011",)), (NOVEMBER,)) == Nothing(asked=True)
    assert Reference(shown=PARCEL).find(orders, RECORDS) == One(SHIRT)
    assert Reference(shown=PARCEL).find(RECORDS.refunds, RECORDS) == One(BACK)
    assert Reference(shown=FOREIGN).find(RECORDS.subscriptions, RECORDS) == Nothing(asked=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("昨天那笔", One(DECEMBER)),
        ("上个月88那笔", One(NOVEMBER)),
        ("88那笔", Several((NOVEMBER, DECEMBER))),
        ("66块那笔", Nothing(asked=True)),
        ("上周三那笔", Nothing(asked=True)),
        ("今天能告诉我这是什么吗", Several(RECORDS.charges)),
        ("T恤那笔", One(FOR_SHIRT)),
    ],
)
def test_which_charge_a_text_means(text: str, expected: object) -> None:
    said = clues_in(text, RECORDS, TODAY).clues
    assert Reference(said=said).find(RECORDS.charges, RECORDS) == expected


def test_not_this_one_leaves_the_picture_too() -> None:
    before = Reference(shown=FOREIGN, about=("charge CH-1012",), earlier=FOREIGN)
    after = without_about(before)
    assert (after.shown, after.about, after.earlier, after.not_these) == (
        NO_CLUES, (), NO_CLUES, ("charge CH-1012",),
    )  # fmt: skip


def test_a_picture_shows_the_latest_of_several_alike() -> None:
    assert record_shown(spelt_reading({"amount": "88.00"}), RECORDS) == DECEMBER
    assert record_shown(spelt_reading({"page": "other"}), RECORDS) is None
    assert record_shown(spelt_reading({"page": "subscription", "amount": "88.00"}), RECORDS) == GOLD


def test_said_clues_go_over_shown_ones() -> None:
    said, shown = (
        Clues(amounts=frozenset({Decimal(88)})),
        Clues(amounts=frozenset({Decimal(9)}), page="receipt"),
    )
    assert said.over(shown) == Clues(amounts=frozenset({Decimal(88)}), page="receipt")
    assert plain("Ａ b Ｃ") == "abc"
