"""Pages of labels and values: what the OCR reader's facts come from, laid out in words of these tests' own."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pytest

from adapters.readers.ocr.claims import Locale
from adapters.readers.ocr.facts import find_facts
from adapters.readers.ocr.folding import fold
from adapters.readers.ocr.item_table import find_item_table
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lexicon import label, label_at_start
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.money import stated_unit
from adapters.readers.ocr.pages import page_by_labels
from adapters.readers.ocr.statuses import status_in
from adapters.readers.ocr.tidying import labels_apart, tidied
from bot.domain.vocabulary import FactName, Page

NOW = datetime.fromisoformat("2026-03-20T12:00:00+08:00")
LOCALE = Locale(NOW, {"$": "USD", "¥": "CNY"})
WIDTH, HEIGHT = 750, 1600
Cell = tuple[str, int] | tuple[str, int, int]
"""A text, its left edge, and its height where it is not the usual one."""


def line(text: str, left: int, top: int, height: int = 36) -> Line:
    step = 0.5 * height
    places = tuple(left + step * (index + 0.5) for index in range(len(text)))
    return Line(text, (left, top, left + round(step * len(text)), top + height), 0.99, places)


def sheet(*rows: Sequence[Cell], pitch: int = 70) -> Sheet:
    lines = [
        line(cell[0], cell[1], 100 + pitch * index, *cell[2:])
        for index, row in enumerate(rows)
        for cell in row
    ]
    return Sheet(tidied(lines, WIDTH, HEIGHT), WIDTH, HEIGHT)


def facts(page: Page, *rows: Sequence[Cell], pitch: int = 70) -> dict[FactName, list[str]]:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    found: dict[FactName, list[str]] = {}
    for fact in find_facts(sheet(*rows, pitch=pitch), page, LOCALE, image):
        found.setdefault(fact.name, []).append(fact.value)
    return found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("本次缴费总额", "amount"),
        ("景区门票预订单号", "order_no"),
        ("银行清算流水号", "transaction_no"),
        ("首选代扣账户", "payment_method"),
        ("签约受理商户名称", "merchant"),
        ("拟退还款项总额", "refund_amount"),
        ("夜宵满减", "discount"),
        ("加急处理费", "_fee"),
        ("剩余可用额度", "_balance"),
        ("上期已付金额", "_balance"),
        ("预计骑手到达时间", "expected_at"),
        ("下一期扣缴日期", "next_charge_at"),
        ("订票人手机号", "phone"),
        ("拒付原因", "error_message"),
        ("扣款帳戶", "payment_method"),
        ("Total amount payable", "amount"),
        ("Web order reference", "order_no"),
        ("Loyalty discount", "discount"),
        ("City tax 7%", "_fee"),
        ("Upcoming renewal date", "next_charge_at"),
        ("Last charged on", "charged_at"),
        ("Shipped by", "carrier"),
        ("Previous balance", "_balance"),
    ],
)
def test_a_label_that_no_list_holds_is_known_by_how_it_is_built(text: str, name: str) -> None:
    found = label(fold(text))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "text", ["春日野餐垫加厚", "感谢您一直以来的支持与信任", "Blue Heron Coffee", "立即前往"]
)
def test_names_and_sentences_are_no_labels(text: str) -> None:
    assert label(fold(text)) is None


def test_a_label_may_end_without_a_colon() -> None:
    found = label_at_start(fold("联系手机 139 0000 0002"))
    assert found is not None
    assert found[0].name == "phone"


def test_labels_in_one_line_are_set_apart() -> None:
    parts = labels_apart(line("订单号：KX20260311 收款方：拾岁花艺 ", 20, 0))
    assert [part.text for part in parts] == ["订单号：KX20260311", "收款方：拾岁花艺"]
    assert len(labels_apart(line("温馨提示：如有疑问请联系客服", 20, 0))) == 1


def test_a_currency_in_small_letters_belongs_to_its_figure() -> None:
    found = facts("charge_notice", [("合计", 40)], [("1268.00", 40, 90), ("元", 366)], pitch=60)
    assert found["amount"] == ["1268.00"]


@pytest.mark.parametrize(
    ("text", "unit"),
    [("金额（元）", "CNY"), ("Total (USD)", "USD"), ("應繳（港幣）", "HKD"), ("数量(件)", None)],
)
def test_a_label_states_the_currency(text: str, unit: str | None) -> None:
    assert stated_unit(text) == unit


def test_values_under_their_labels_in_two_columns() -> None:
    found = facts(
        "charge_notice",
        [("收费单位", 40), ("结算渠道", 420)],
        [("江畔供热有限公司", 40), ("交通银行信用卡(1180)", 420)],
        [("缴费日期", 40), ("业务流水号", 420)],
        [("2026-03-02", 40), ("77120039481", 420)],
        pitch=50,
    )
    assert found["merchant"] == ["江畔供热有限公司"]
    assert found["payment_method"] == ["交通银行信用卡(1180)"]
    assert found["charged_at"] == ["2026-03-02"]
    assert found["transaction_no"] == ["77120039481"]


def test_what_is_subtracted_is_a_discount_and_what_is_paid_the_amount() -> None:
    found = facts(
        "order_detail",
        [("订单编号", 40), ("88120071", 420)],
        [("山野徒步登山杖", 40), ("¥89.00", 600)],
        [("开学焕新礼", 40), ("-¥9.00", 600)],
        [("运费", 40), ("¥6.00", 600)],
        [("在线支付", 40), ("¥86.00", 600)],
    )
    assert found["discount"] == ["9.00"]
    assert found["amount"] == ["86.00"]
    assert found["item_price"] == ["89.00"]


def test_of_two_sums_that_a_discount_lies_between_the_paid_one_counts() -> None:
    found = facts(
        "payment_result",
        [("订单金额", 40), ("¥60.00", 500)],
        [("立减优惠", 40), ("-¥4.50", 500)],
        [("合计", 40), ("¥55.50", 500)],
    )
    assert found["amount"] == ["55.50"]


def test_a_balance_and_last_months_sum_are_no_amount() -> None:
    found = facts(
        "charge_notice",
        [("上月已缴金额", 40), ("HK$310.00", 500)],
        [("本期應繳總額", 40), ("HK$298.00", 500)],
        [("可用餘額", 40), ("HK$2,041.00", 500)],
    )
    assert found["amount"] == ["298.00"]


def test_a_table_of_goods() -> None:
    page = sheet(
        [("Article", 40), ("Qty", 360), ("Unit price", 450), ("Line total", 620)],
        [("Linen Tablecloth", 40), ("2", 360), ("$30.00", 450), ("$60.00", 620)],
        [("Beeswax Candle", 40), ("1", 360), ("$8.50", 450), ("$8.50", 620)],
        [("Subtotal", 450), ("$68.50", 620)],
    )
    table = find_item_table(page)
    assert table is not None
    assert [row["product"].text for row in table.rows] == ["Linen Tablecloth", "Beeswax Candle"]
    assert [item.text for item in table.rest_of(page).lines] == ["Subtotal", "$68.50"]


def test_the_newest_step_of_a_refund_tells_how_it_stands() -> None:
    rows: list[list[Cell]] = [
        [("03-15 10:20", 40), ("银行入账成功", 300)],
        [("03-13 09:00", 40), ("商家同意退款", 300)],
        [("03-12 21:40", 40), ("您提交了退款申请", 300)],
    ]
    newest_first, newest_last = facts("refund", *rows), facts("refund", *reversed(rows))
    for found in (newest_first, newest_last):
        assert found["refund_status"] == ["refunded"]
        assert found["refunded_at"] == ["03-15T10:20"]


def test_a_step_to_come_is_expected() -> None:
    found = facts(
        "refund",
        [("Return received", 40), ("Mar 14", 560)],
        [("Sent to your bank", 40), ("Mar 17", 560)],
        [("Money in your account", 40), ("Mar 24", 560)],
    )
    assert found["refund_status"] == ["processing"]
    assert found["expected_at"] == ["03-24"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("这笔付款没能完成", "failed"),
        ("We couldn't take your payment", "failed"),
        ("充值处理中", "pending"),
        ("Confirming your payment", "pending"),
        ("自动扣款成功", "success"),
    ],
)
def test_how_a_payment_went_in_other_words(text: str, status: str) -> None:
    found = status_in(fold(text), "payment_status")
    assert found is not None
    assert found[0] == status


def test_parcels_on_one_page_each_for_itself() -> None:
    rows: list[list[Cell]] = []
    for status, carrier, number in (
        ("派送中", "申通快递", "770018253399120"),
        ("已签收", "韵达快递", "431200985571204"),
    ):
        rows += [[(status, 40)], [(f"{carrier} {number}", 40)], []]
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    found = find_facts(sheet(*rows), "logistics", LOCALE, image)
    by_group = {fact.group: fact.value for fact in found if fact.name == "shipment_status"}
    assert by_group == {0: "out_for_delivery", 1: "delivered"}


@pytest.mark.parametrize(
    ("rows", "page"),
    [
        ([("追踪编号：QH88210047", 40), ("收件人：何**", 40)], "logistics"),
        ([("下次扣费日：2026-04-02", 40), ("扣费金额：¥12.00", 40)], "subscription"),
        ([("应退金额：¥75.00", 40), ("申请单号：30021177", 40)], "refund"),
        ([("Handling fee: $2.00", 40), ("Total: $9.00", 40)], "receipt"),
    ],
)
def test_labels_tell_the_page_where_no_word_does(rows: list[Cell], page: Page) -> None:
    cells: list[list[Cell]] = [[row] for row in rows]
    assert page_by_labels(sheet(*cells, [("…", 40)], [("…", 40)])) == page


def test_whom_was_paid_in_a_sentence() -> None:
    found = facts(
        "payment_result", [("付款成功", 300, 44)], [("￥45.00", 280, 90)], [("向小满花店付款", 280)]
    )
    assert found["merchant"] == ["小满花店"]


def test_a_coupon_names_its_shop_and_status() -> None:
    found = facts(
        "coupon", [("晨曦烘焙", 60)], [("¥15", 60, 80)], [("满80元可用", 60)], [("状态：未使用", 60)]
    )
    assert found["merchant"] == ["晨曦烘焙"]
    assert found["discount"] == ["15.00"]
    assert found["coupon_status"] == ["usable"]


def test_agreements_in_a_list_each_for_itself() -> None:
    page = sheet(
        [("云帆听书季卡", 40), ("使用中", 600)],
        [("每季扣36元，下次2026-05-02", 40)],
        [("小橙单车月卡", 40), ("已关闭", 600)],
        [("2026-01-08解约", 40)],
    )
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    found = find_facts(page, "subscription", LOCALE, image)
    assert {f.group: f.value for f in found if f.name == "plan"} == {0: "云帆听书季卡", 1: "小橙单车月卡"}
    assert {f.group: f.value for f in found if f.name == "auto_renewal"} == {0: "on", 1: "off"}


def test_coupons_in_a_grid_keep_their_own_status() -> None:
    page = sheet(
        [("8元", 60, 80), ("30元", 420, 80)],
        [("满40元可用", 60), ("满200元可用", 420)],
        [("去使用", 60), ("已过期", 420)],
        pitch=90,
    )
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    found = find_facts(page, "coupon", LOCALE, image)
    by_group: dict[int | None, set[str]] = {}
    for fact in found:
        by_group.setdefault(fact.group, set()).add(fact.value)
    assert sorted(map(sorted, by_group.values())) == [["30.00", "expired"], ["8.00", "usable"]]


def test_a_date_beside_a_label_of_sums_is_when_it_was_paid() -> None:
    found = facts(
        "order_detail", [("Charged", 40), ("9 March 2026", 500)], [("Order total", 40), ("$18.00", 500)]
    )
    assert found["charged_at"] == ["2026-03-09"]
    assert found["amount"] == ["18.00"]
