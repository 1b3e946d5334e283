"""What the OCR reader makes of running text, lists, tables and whole pages: mechanisms, without pictures."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.readers.ocr.claims import Claim, Locale
from adapters.readers.ocr.entries import entry_claims
from adapters.readers.ocr.layout import Sheet
from adapters.readers.ocr.lines import Line
from adapters.readers.ocr.lists import charge_entries, message_cards
from adapters.readers.ocr.pages import classify
from adapters.readers.ocr.sentences import sentence_claims
from adapters.readers.ocr.tables import find_table, table_claims

NOW = datetime.fromisoformat("2026-03-20T12:00:00+08:00")
LOCALE = Locale(NOW, {"$": "USD", "¥": "CNY"})
Cell = tuple[int, str]


def line(text: str, left: int, top: int, height: int = 36) -> Line:
    """A line of text as wide as its letters."""
    wide = sum(0.72 if ord(c) > 0x2E80 else 0.42 for c in text)
    return Line(text, (left, top, left + round(wide * height), top + height), 0.95, ())


def paragraph(*texts: str, top: int = 200, left: int = 50) -> list[Line]:
    """A bubble's wrapped lines."""
    return [line(text, left, top + 48 * number) for number, text in enumerate(texts)]


def sheet(rows: Sequence[Sequence[Cell]], pitch: int = 80, width: int = 900) -> Sheet:
    """A page of rows, each of texts with their left edges."""
    lines = [line(text, left, 120 + pitch * n) for n, row in enumerate(rows) for left, text in row]
    return Sheet(lines, width, max(1600, pitch * len(rows) + 300))


def said(claims: Sequence[Claim]) -> set[tuple[str, str]]:
    return {(claim.name, claim.value) for claim in claims}


@pytest.mark.parametrize(
    ("texts", "expected", "absent"),
    [
        (
            (
                "您账户2201于02月14日19:05在【支付",
                "宝-木鱼书屋】发生快捷支付扣款，人民",
                "币42.50，余额3,118.02【远山银行】",
            ),
            {("amount", "42.50"), ("charged_at", "02-14T19:05"), ("merchant", "木鱼书屋")},
            {"3118.02"},
        ),
        (
            ("尾号6120卡3月18日20时4分向云帆网络", "公司支付支出人民币25.00元，活期余额318.06元"),
            {("amount", "25.00"), ("charged_at", "03-18T20:04"), ("merchant", "云帆网络公司")},
            {"318.06"},
        ),
        (
            ("A charge of $47.16 at OAKLEAF MARKET #7", "was made with your card. Avail bal $902.75."),
            {("amount", "47.16"), ("merchant", "OAKLEAF MARKET #7")},
            {"902.75"},
        ),
        (
            ("您的信用卡于03月19日退款入账人民币", "59.90元，交易商户：优木家居，余额12.15元"),
            {("refund_amount", "59.90"), ("refunded_at", "03-19"), ("merchant", "优木家居")},
            {"12.15"},
        ),
        (
            ("您的流光视频黄金会员将于4月2日到期，届时将", "自动扣除19元续费"),
            {("amount", "19.00"), ("next_charge_at", "04-02"), ("plan", "流光视频黄金会员")},
            set(),
        ),
        (
            ("末四碼8842信用卡於03/17 15:18消費", "NT$1,299元，特店：雲朵音樂。本期額度 NT$78,955"),
            {("amount", "1299.00"), ("charged_at", "03-17T15:18"), ("merchant", "雲朵音樂")},
            {"78955.00"},
        ),
        (
            ("本期最低还款320.84元，信用额度50,000.00元，", "如需分期每期低至5.92元"),
            set(),
            {"320.84", "50000.00", "5.92"},
        ),
        (
            ("【云杉驿站】您的申通快递包裹（运单", "号773208114409652）已到站，取件码12"),
            {("tracking_no", "773208114409652"), ("carrier", "申通快递")},
            set(),
        ),
    ],
)
def test_what_wrapped_sentences_say(
    texts: Sequence[str], expected: set[tuple[str, str]], absent: set[str]
) -> None:
    found = said(sentence_claims(paragraph(*texts), LOCALE))
    assert expected <= found
    assert not absent & {value for name, value in found if name in ("amount", "refund_amount")}


SENTENCES = yaml.safe_load((Path(__file__).parent / "ocr_sentences.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence["text"][:24])
def test_sentences(sentence: dict[str, Any]) -> None:
    found = said(sentence_claims([line(sentence["text"], 0, 0)], LOCALE))
    assert set(sentence["says"].items()) <= found
    sums = {value for name, value in found if name in ("amount", "refund_amount")}
    assert sums <= {sentence["says"].get(name) for name in ("amount", "refund_amount")}


def test_every_message_of_a_thread_is_a_card_of_its_own() -> None:
    lines = [
        *paragraph("您尾号4417卡3月16日支出人民币36.50元，", "余额2,907.33元。", top=200),
        *paragraph("您尾号4417卡3月18日消费人民币19.00元，", "余额2,888.33元。", top=500),
        *paragraph("验证码402917，5分钟内有效，请勿告诉他人。", top=800),
    ]
    cards = message_cards(Sheet(lines, 780, 1600), LOCALE)
    amounts = [[c.value for c in sentence_claims(card.lines, LOCALE) if c.name == "amount"] for card in cards]
    assert amounts == [["36.50"], ["19.00"]]


def test_a_table_is_read_by_its_heads() -> None:
    page = sheet(
        [
            [(40, "Date"), (240, "Details"), (560, "Card"), (740, "Amount (EUR)")],
            [(40, "02/03/2026"), (240, "KIOSK NORD"), (560, "7702"), (740, "4.80")],
            [(40, "28/02/2026"), (240, "Refund BUCHLADEN"), (560, "7702"), (740, "-12.00")],
            [(40, "27/02/2026"), (240, "PAYMENT RECEIVED"), (560, "7702"), (740, "-300.00")],
        ]
    )
    locale = Locale(NOW, {"$": "USD", "¥": "CNY"}, day_first=True)
    table = find_table(page, locale)
    assert table is not None
    claims = list(table_claims(table, "charge_notice", locale))
    assert {(c.group, c.name, c.value) for c in claims} == {
        (0, "amount", "4.80"), (0, "charged_at", "2026-03-02"), (0, "merchant", "KIOSK NORD"),
        (1, "refund_amount", "12.00"), (1, "refunded_at", "2026-02-28"), (1, "merchant", "BUCHLADEN"),
    }  # fmt: skip
    assert {c.unit for c in claims if c.unit} == {"EUR"}


def entries_of(rows: Sequence[Sequence[Cell]]) -> list[set[tuple[str, str]]]:
    entries = charge_entries(sheet(rows, pitch=60), LOCALE)
    return [said(list(entry_claims(entry, entries, LOCALE))) for entry in entries]


def test_a_list_under_days() -> None:
    assert entries_of(
        [
            [(40, "今天"), (700, "支118.00")],
            [(40, "-88.00"), (300, "拾光读书"), (760, "08:30")],
            [(40, "昨天"), (700, "支46.20")],
            [(40, "-46.20"), (300, "食刻外卖"), (760, "12:01")],
            [(40, "+46.20"), (300, "食刻外卖退款"), (760, "21:44")],
        ]
    ) == [
        {("amount", "88.00"), ("charged_at", "2026-03-20T08:30"), ("merchant", "拾光读书")},
        {("amount", "46.20"), ("charged_at", "2026-03-19T12:01"), ("merchant", "食刻外卖")},
        {("refund_amount", "46.20"), ("refunded_at", "2026-03-19T21:44"), ("merchant", "食刻外卖退款")},
    ]


def test_a_day_under_a_name_heads_nothing() -> None:
    lines = [
        cell
        for number, (name, day, price) in enumerate(
            [
                ("OAK MARKET", "Mar 8", "$54.12"),
                ("PINE ST GAS", "Feb 27", "$38.20"),
                ("CITY BUS", "Feb 20", "$2.90"),
            ]
        )
        for cell in (
            line(name, 40, 200 + 160 * number),
            line(price, 760, 210 + 160 * number),
            line(day, 40, 244 + 160 * number, 28),
        )
    ]
    entries = charge_entries(Sheet(lines, 900, 1600), LOCALE)
    days = [[c.value for c in entry_claims(e, entries, LOCALE) if c.name == "charged_at"] for e in entries]
    assert days == [["03-08"], ["02-27"], ["02-20"]]


@pytest.mark.parametrize(
    ("rows", "page"),
    [
        ([["群山银行"], ["您尾号0921的卡3月18日消费人民币25.00元，余额318.06元"]], "charge_notice"),
        ([["燃气费账单"], ["户号 33012290"], ["应缴金额 76.83元"]], "charge_notice"),
        ([["周末爬山小队(6)"], ["明天几点集合？"], ["八点地铁口"]], "chat"),
        ([["Something broke"], ["We were unable to load this page. Please try again."], ["Retry"]], "error"),
        ([["My vouchers"], ["$5 off"], ["Orders over $30"], ["Use now"]], "coupon"),
        ([["快件通知"], ["您的韵达快递已到站，取件码3-2-11，请及时领取"]], "logistics"),
        ([["老街面馆菜单"], ["牛肉面 22元"], ["凉皮 12元"], ["豆浆 5元"]], "other"),
        ([["采购清单"], ["1. 牛奶两盒"], ["2. 洗衣液"]], "other"),
        ([["How to brew coffee"], ["A decent grinder costs about $60 and lasts for years."]], "other"),
    ],
)  # fmt: skip
def test_which_page_it_is(rows: Sequence[Sequence[str]], page: str) -> None:
    assert classify(sheet([[(60, text) for text in row] for row in rows]), LOCALE) == page
