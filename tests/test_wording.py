"""Replies: both languages say the same, everything that is said is there, and values are written by locale."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from bot.app import replies
from bot.domain.intent import Term, Value
from bot.domain.records import Charge, Item, Money, Order, Records, Subscription
from bot.domain.times import PartialTime
from bot.domain.vocabulary import (
    INTENTS,
    MONEY_FACTS,
    TIME_FACTS,
    CustomerId,
    Language,
    ManagedBy,
    OrderStatus,
    RefundStatus,
)
from bot.flow.decision import NOT_OFFERED, SAID_WHEN_THEY_DIFFER
from bot.flow.wording import LANGUAGES, SHARED, Book, Wording, load_book

ZONE = ZoneInfo("Asia/Shanghai")
INTENT_FILES = sorted(Path(str(files("intents"))).glob("*/handler.py"))
SAID_BY_THE_HOUSE = {
    *("unidentified", "not_found", "handoff", "not_yet", "waiting", "trouble", "give_up", "clarify"),
    *("say_more", "unreadable", "which", "yes_no", "declined", "pending", "refused", "failed", "differs"),
}


@cache
def book() -> Book:
    return load_book(replies())


@pytest.fixture
def wording() -> Wording:
    return Wording(book())


def test_both_languages_have_the_same_keys_placeholders_and_buttons() -> None:
    keys = {language: {(s, k) for s, k, written in book() if written == language} for language in LANGUAGES}
    assert keys["zh"] == keys["en"]
    for scope, key in sorted(keys["zh"]):
        zh, en = book()[scope, key, "zh"], book()[scope, key, "en"]
        assert zh.placeholders == en.placeholders, (scope, key)
        assert len(zh.quick) == len(en.quick), (scope, key)


def test_whatever_is_said_by_the_house_is_there() -> None:
    terms = {
        *SAID_BY_THE_HOUSE,
        *(f"fact.{name}" for name in MONEY_FACTS | TIME_FACTS),
        *(f"order_status.{status}" for status in get_args(OrderStatus)),
        *(f"refund_status.{status}" for status in get_args(RefundStatus)),
        *(f"period.{period}" for period in ("week", "month", "quarter", "half_year", "year")),
        *(f"steps.{who}" for who in get_args(ManagedBy) if who != "shop"),
        *(f"ask.{intent}" for intent in INTENTS if intent not in NOT_OFFERED),
    }
    assert not {term for term in terms if (SHARED, term, "en") not in book()}
    assert {f"fact.{name}" for name in SAID_WHEN_THEY_DIFFER} <= terms


# --- Handlers, as they are written ---------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """One ``ask.say(...)``, ``propose`` or the like in a handler; ``given`` is None where it spreads a mapping."""

    scope: str
    key: str
    given: frozenset[str] | None
    line: int


VERBS = {"say": "", "choose": "which", "propose": "propose", "hand_off": "handoff"}
NO_WORDING = {"key", "intent", "amount_of", "address", "email", "unit"}


def said_in(file: Path) -> Iterator[Said]:
    """Every reply whose key stands in the handler as it is."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        verb = node.func.attr
        if verb not in VERBS or not (isinstance(node.func.value, ast.Name) and node.func.value.id == "ask"):
            continue
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        scope = literals(keywords["intent"])[0] if "intent" in keywords else file.parent.name
        spread = any(k.arg is None for k in node.keywords)
        given = None if spread else frozenset(keywords) - NO_WORDING
        for key in literals(keyed(verb, node, keywords)) or ([VERBS[verb]] if VERBS[verb] else []):
            own = scope if (scope, key, "zh") in book() else file.parent.name
            yield Said(own, key, given, node.lineno)


def keyed(verb: str, node: ast.Call, keywords: dict[str, ast.expr]) -> ast.expr | None:
    place = {"say": 0, "choose": 1, "hand_off": 1}.get(verb)
    positional = node.args[place] if place is not None and len(node.args) > place else None
    return keywords.get("key") or positional


def literals(node: ast.expr | None) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return [*literals(body), *literals(other)]
        case _:
            return []


@pytest.mark.parametrize("file", INTENT_FILES, ids=lambda file: file.parent.name)
def test_every_reply_of_a_handler_is_there_and_is_filled(file: Path) -> None:
    for said in said_in(file):
        phrase = book().get((said.scope, said.key, "zh")) or book().get((SHARED, said.key, "zh"))
        assert phrase, f"{said.key!r} at line {said.line}"
        if said.given is not None:
            assert phrase.placeholders <= said.given, f"{said.key!r} at line {said.line}"


def test_an_action_has_a_reply_for_every_result() -> None:
    for file in INTENT_FILES:
        proposes = "ask.propose(" in file.read_text("utf-8") and (file.parent.name, "propose", "zh") in book()
        for key in ("done", "declined") if proposes else ():
            assert (file.parent.name, key, "zh") in book(), (file.parent.name, key)


def test_a_book_with_a_language_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "replies.yml").write_text("zh:\n  reply: 好\n", "utf-8")
    with pytest.raises(ValueError, match="greet"):
        load_book([("greet", tmp_path / "replies.yml")])


# --- Values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "zh", "hant", "en"),
    [
        (Money(Decimal("88.00"), "CNY"), "¥88.00", "CN¥88.00", "CN¥88.00"),
        (Money(Decimal("1234.50"), "HKD"), "HK$1,234.50", "HK$1,234.50", "HK$1,234.50"),
        (Money(Decimal("2.99"), "USD"), "US$2.99", "US$2.99", "$2.99"),
        (date(2026, 1, 1), "2026年1月1日", "2026年1月1日", "Jan 1, 2026"),
        (datetime(2025, 12, 1, 8, 5, tzinfo=ZONE), "2025年12月1日 08:05", "2025年12月1日 08:05", "Dec 1, 2025 08:05"),
        (Term("period.month"), "每月", "每月", "monthly"),
        (Term("order_status.to_ship"), "待发货", "待發貨", "being prepared"),
        (Term("period.fortnight", "fortnight"), "fortnight", "fortnight", "fortnight"),
        (("甲", "乙", "丙"), "甲、乙、丙", "甲、乙、丙", "甲, 乙, 丙"),
        (("甲", "乙", "丙", "丁"), "甲、乙、丙 …", "甲、乙、丙 …", "甲, 乙, 丙 …"),
        ("发货", "发货", "发货", "发货"),
    ],
)  # fmt: skip
def test_values_by_locale(value: Value, zh: str, hant: str, en: str, wording: Wording) -> None:
    written = [
        wording.value(value, language) for language in (Language.ZH_HANS, Language.ZH_HANT, Language.EN)
    ]
    assert written == [zh, hant, en]


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        ("2025-12-01T08:30:00", "2025年12月1日 08:30", "Dec 1, 2025 08:30"),
        ("2025-12-01", "2025年12月1日", "Dec 1, 2025"),
        ("12-01T08:30", "12月1日 08:30", "Dec 1 08:30"),
        ("02-29", "2月29日", "Feb 29"),
    ],
)
def test_partial_times_by_locale(value: str, zh: str, en: str, wording: Wording) -> None:
    time = PartialTime.parse(value)
    assert time is not None
    assert (wording.partial(time, Language.ZH_HANS), wording.partial(time, Language.EN)) == (zh, en)


def test_our_words_are_told_in_traditional_and_the_shops_are_left(wording: Wording) -> None:
    reply = wording.say("stop_auto_renewal", "already_off", {"plan": "黄金会员"}, Language.ZH_HANT)
    assert "「黄金会员」的自動續費" in reply.text


def test_buttons_are_known_in_every_script(wording: Wording) -> None:
    assert all(wording.is_button(text, "yes_no", 0) for text in ("好的", " Yes, please "))
    assert all(wording.is_button(text, "yes_no", 1) for text in ("先不用", "No, thanks"))
    assert not wording.is_button("好的", "yes_no", 1)


def record(**values: Any) -> dict[str, Any]:
    return {"customer": CustomerId("me"), "currency": "CNY"} | values


def test_labels_tell_records_apart(wording: Wording) -> None:
    when = datetime(2025, 12, 1, 8, 30, tzinfo=ZONE)
    order = Order(
        **record(order_no="O-1", status="paid", total=Decimal("9.00"), ordered_at=when),
        items=(Item(title="雨伞", price=Decimal("9.00")),),
    )
    plan = Subscription(
        **record(id="SUB-1", plan="黄金会员", period="month", price=Decimal("88.00"), auto_renewal=True)
    )
    charges = tuple(
        Charge(**record(charge_no=f"CH-{n}", amount=Decimal("9.00"), charged_at=when), **of)
        for n, of in enumerate(({"order_no": "O-1"}, {"subscription": "SUB-1"}, {"description": "运费"}, {}))
    )
    records = Records(orders=(order,), subscriptions=(plan,), charges=charges)
    labels = [wording.label(r, records, Language.ZH_HANS) for r in (*charges, order, plan)]
    assert labels == [
        "2025年12月1日 08:30 雨伞 ¥9.00",
        "2025年12月1日 08:30 黄金会员 ¥9.00",
        "2025年12月1日 08:30 运费 ¥9.00",
        "2025年12月1日 08:30 ¥9.00",
        "O-1 雨伞 已付款",
        "黄金会员 ¥88.00",
    ]
