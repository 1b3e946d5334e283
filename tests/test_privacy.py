"""What is masked, what is left, and what must not be touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.reading import Fact
from bot.domain.session import Action
from bot.domain.vocabulary import FactName
from bot.flow.privacy import mask_action, mask_fact, mask_text

PERSONAL_PIECES = [
    "13800000001", "+86 138-0000-0001", "张伟", "收件人：", "上海市浦东新区世纪大道100号", "a.b@c.com", "省",
    "路", "4111 1111 1111 1111", "11010519491231002X", "1号", "订单号", "***", "12 Main Street", "name: John",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我的手机是13800000001，请回电", "我的手机是138****0001，请回电"),
        ("电话 138 0000 0001", "电话 138****0001"),
        ("call +86 138-0000-0001 please", "call 138****0001 please"),
        ("手机１３８００００００01", "手机138****0001"),
        ("我的電話 0912-345-678", "我的電話 091****5678"),
        ("my number is +852 9123 4567", "my number is 852****4567"),
        ("call (415) 555-2671", "call 415****2671"),
        ("座机010-12345678", "座机010****5678"),
        ("寄到a.b+c@example.com", "寄到a***@example.com"),
        ("身份证11010519491231002X", "身份证****002X"),
        ("证件 11010519491231002X 已过期", "证件 ****002X 已过期"),
        ("身份证号：110101199001011239", "身份证号：****1239"),
        ("card 4111 1111 1111 1111", "card ****1111"),
        ("收件人：张伟，明天到", "收件人：张*，明天到"),
        ("Name: John Smith", "Name: J***"),
        ("改到上海市浦东新区世纪大道100号3栋502室，谢谢", "改到上海市浦东新区***，谢谢"),
        ("我住世纪大道100号502室", "我住世纪大道***"),
        ("臺北市大安區仁愛路四段10號5樓", "臺北市大安區***"),
        ("ship it to 12B Main Street, Apt 4", "ship it to ***"),
    ],
)  # fmt: skip
def test_what_is_personal_is_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "订单号2025120100001什么时候发货",
        "订单 13800000001 没收到",
        "order no. 4111111111111111 is late",
        "单号: SF1234567890123",
        "交易单号 4200001234202512011234567890",
        "为什么扣了我88.00元",
        "预算5000-6000元",
        "2025-12-01 08:30:00 扣款",
        "我要退货，这个区别很大，路上坏了",
        "上海市浦东新区发货吗",
        "3号才发货，5楼取",
        "the product name Big Box",
        "尾号1234的卡",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("name", "value", "text", "masked_value", "masked_text"),
    [
        ("phone", "13800000001", "138 0000 0001", "138****0001", "138****0001"),
        ("phone", "138****0001", "138****0001", "138****0001", "138****0001"),
        ("phone", "91234567", "9123 4567", "****4567", "****4567"),
        ("phone", "110", "110", "****", "****"),
        ("person", "张伟", "收货人 张伟", "张*", "收货人 张*"),
        ("person", "*伟", "*伟", "*伟", "*伟"),
        ("person", "Jane Doe", "Jane Doe", "J***", "J***"),
        ("id_number", "110105 19491231 002X", "11010519491231002X", "****002X", "****002X"),
        ("card_number", "6222021234567894128", "6222 0212 3456 7894 128", "****4128", "****4128"),
        ("card_number", "1234", "尾号1234", "1234", "尾号1234"),
        ("address", "杭州市西湖区文三路1号", "杭州市西湖区文三路1号", "杭州市西湖区***", "杭州市西湖区***"),
        ("address", "世纪大道", "世纪大道", "世纪***", "世纪***"),
        ("address", "12 Main St, Springfield, IL 62701", "12 Main St", "***, IL", "***, IL"),
        ("merchant", "张记 13800000001", "张记 13800000001", "张记 138****0001", "张记 138****0001"),
        ("order_no", "13800000001", "13800000001", "13800000001", "13800000001"),
        ("amount", "88.00", "¥88.00", "88.00", "¥88.00"),
    ],
)  # fmt: skip
def test_facts(name: FactName, value: str, text: str, masked_value: str, masked_text: str) -> None:
    fact = mask_fact(Fact(name=name, value=value, text=text, box=(0, 0, 9, 9), confidence=1))
    assert (fact.value, fact.text) == (masked_value, masked_text)
    assert mask_fact(fact) == fact


def test_actions_show_where_to_and_no_more() -> None:
    action = Action(
        name="change_address", target="1", status="proposed", address="上海市浦东新区世纪大道100号"
    )
    assert mask_action(action).address == "上海市浦东新区***"
    action = Action(name="send_invoice", target="1", status="done", email="zhang@example.com")
    assert mask_action(action).email == "z***@example.com"


@given(st.lists(st.sampled_from(PERSONAL_PIECES) | st.text(max_size=5), max_size=12).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@pytest.mark.parametrize(
    "piece", ["省", "省市", "路1号", "1号", "+1", "1 ", "13800000001", "a.", "a@b.", "A B "]
)
def test_no_text_takes_long(piece: str) -> None:
    assert mask_text(piece * (4000 // len(piece))) is not None
