"""What a turn means, in the light of the dialogue: language, intent, and what becomes of a proposal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from adapters.classifier import load
from bot.domain.intent import Alternative, Confirmed, Declined, IntentMatch, Meant
from bot.domain.message import Entry, Sender
from bot.domain.phrases import place_in
from bot.domain.ports import Classifier
from bot.domain.reading import Hint
from bot.domain.records import Customer, Records, Subscription
from bot.domain.session import Action, Dialogue, Exchange, Option, Proposal
from bot.domain.vocabulary import ActionId, CustomerId, IntentName, Language, SessionId
from bot.flow.burst import LONE_PICTURE, NONE, POINTED_AT, UPLOAD, patience
from bot.flow.understanding import Understanding
from tests.shop import spelt_reading

NOW = datetime(2025, 12, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
QUESTION = {
    Language.ZH_HANS: "「黄金会员连续包月」目前开着自动续费，每月 ¥88.00。需要我现在帮您关闭吗？",
    Language.EN: 'The renewal of "黄金会员连续包月" is on, monthly at CN¥88.00. Shall I turn it off now?',
}
RECORDS = Records(
    customer=Customer(id=CustomerId("me")),
    subscriptions=(
        Subscription(
            id="SUB-1",
            customer=CustomerId("me"),
            plan="黄金会员连续包月",
            period="month",
            price=Decimal("88.00"),
            currency="CNY",
            auto_renewal=True,
            next_charge_at=date(2026, 1, 1),
        ),
    ),
)


@dataclass
class Scripted:
    """A classifier that knows a few texts by heart; whatever else is out of scope."""

    known: Mapping[str, IntentMatch] = field(default_factory=dict)

    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        return self.known.get(text, IntentMatch("out_of_scope", 0.9))


def knows(**texts: tuple[IntentName, float]) -> Scripted:
    return Scripted({text: IntentMatch(*match) for text, match in texts.items()})


def entry(text: str) -> Entry:
    return Entry(session=SessionId("s"), seq=1, sender=Sender.CUSTOMER, text=text, at=NOW)


def exchange(turn: int = 1, **values: Any) -> Exchange:
    return Exchange(**{"turn": turn, "at": NOW, "language": Language.ZH_HANS} | values)


def proposal(at: datetime = NOW) -> Proposal:
    action = Action(name="stop_auto_renewal", target="SUB-1", status="proposed")
    return Proposal(id=ActionId("p"), action=action, intent="stop_auto_renewal", at=at)


def asked(language: Language = Language.ZH_HANS, at: datetime = NOW) -> Dialogue:
    """A dialogue in which the bot has just asked whether it may stop the renewal."""
    question = exchange(
        at=at,
        language=language,
        intent="stop_auto_renewal",
        reply=QUESTION[language],
        about=("subscription SUB-1",),
        proposal=proposal(at),
    )
    return Dialogue(exchanges=(question,))


def understand(
    text: str,
    dialogue: Dialogue | None = None,
    *,
    classifier: Classifier | None = None,
    pictures: tuple[Mapping[str, Any], ...] = (),
    hint: Hint | None = None,
) -> Meant:
    understanding = Understanding(
        classifier or Scripted(), lambda said: said == "好的", lambda said: said == "先不用"
    )
    readings = [spelt_reading(picture) for picture in pictures]
    return understanding.understand([entry(text)], readings, hint, dialogue or Dialogue(), RECORDS, NOW)


# --- Yes and no ---------------------------------------------------------------------------------------


def answers() -> Iterator[Any]:
    table = yaml.safe_load(Path(__file__).with_name("answers.yml").read_text("utf-8"))
    for outcome, texts in table.items():
        yield from (pytest.param(text, outcome, id=f"{outcome}: {text}") for text in texts)


@pytest.fixture(scope="module")
def classifier(trained: Path) -> Classifier:
    return load(files("intents"), trained)


@pytest.mark.parametrize(("text", "outcome"), list(answers()))
def test_answers_to_a_proposal(text: str, outcome: str, classifier: Classifier) -> None:
    language = Language.ZH_HANS if any(char >= "\u4e00" for char in text) else Language.EN
    settled = understand(text, asked(language), classifier=classifier).settled
    came = {Confirmed: "done", Declined: "declined"}.get(type(settled), "no answer")
    assert came != "done" if outcome == "not done" else came == outcome


@pytest.mark.parametrize("text", ["哈哈", "有问题", "huh", "关了会怎样", "随便你们怎么弄都行吧反正我也不懂"])
def test_a_classifier_that_is_sure_of_a_yes_is_not_enough(text: str) -> None:
    sure = knows(**{text: ("affirm", 0.99)})
    assert not isinstance(understand(text, asked(), classifier=sure).settled, Confirmed)


def test_buttons_count_whatever_the_classifier_thinks() -> None:
    wrong = knows(好的=("complain", 0.99), 先不用=("complain", 0.99))
    assert isinstance(understand("好的", asked(), classifier=wrong).settled, Confirmed)
    assert isinstance(understand("先不用", asked(), classifier=wrong).settled, Declined)


def test_a_picture_beside_a_yes_voids_the_proposal() -> None:
    bill = {"page": "charge_notice", "amount": "88.00 CNY"}
    meant = understand("好的", asked(), pictures=(bill,))
    assert (meant.settled, meant.keeps_proposal) == (None, False)


def test_a_lapsed_proposal_is_asked_again() -> None:
    meant = understand("好的", asked(at=NOW - timedelta(minutes=31)))
    assert (meant.settled, meant.match.intent) == (None, "stop_auto_renewal")
    assert meant.reference.chosen == "subscription SUB-1"


def test_courtesy_keeps_a_proposal_and_a_new_ask_does_not() -> None:
    texts = knows(谢谢=("thank", 0.99), 查订单=("check_order", 0.99))
    assert understand("谢谢", asked(), classifier=texts).keeps_proposal
    assert not understand("查订单", asked(), classifier=texts).keeps_proposal


# --- Intent -------------------------------------------------------------------------------------------


def test_a_picture_alone_asks_what_its_page_asks() -> None:
    def of(page: str, **facts: str) -> IntentName:
        return understand("", pictures=({"page": page, **facts},)).match.intent

    assert of("charge_notice") == "explain_charge"
    assert of("subscription") == "stop_auto_renewal"
    assert of("logistics") == "track_shipment"
    assert of("refund") == "check_refund"
    assert of("payment_result", payment_status="success") == "explain_charge"
    assert of("payment_result", payment_status="failed") == "fix_payment_failure"
    assert understand("", pictures=({"page": "other"},)).unclear


def test_a_page_tips_the_scales_between_two_intents() -> None:
    torn = Scripted({"怎么回事": IntentMatch("check_order", 0.4, (Alternative("explain_charge", 0.35),))})
    alone = understand("怎么回事", classifier=torn)
    beside = understand("怎么回事", classifier=torn, pictures=({"page": "charge_notice", "amount": "1.00"},))
    assert (alone.match.intent, alone.unclear) == ("check_order", True)
    assert (beside.match.intent, beside.unclear) == ("explain_charge", False)


def test_a_hint_never_overrules_plain_words() -> None:
    plain = knows(查订单=("check_order", 0.98))
    hint = Hint(intent="request_refund", confidence=1.0)
    assert understand("查订单", classifier=plain, hint=hint).match.intent == "check_order"


def test_naming_another_record_goes_on_with_the_ask_before() -> None:
    dialogue = Dialogue(exchanges=(exchange(intent="explain_charge", about=("charge CH-1",)),))
    for text in ("昨天那笔", "12月1号那笔", "88那个", "是上个月的", "yesterday's"):
        assert understand(text, dialogue).match.intent == "explain_charge", text
    assert understand("你好", dialogue).match.intent == "out_of_scope"


def test_a_named_record_is_never_out_of_scope() -> None:
    torn = Scripted({"CH-2001": IntentMatch("out_of_scope", 0.9, (Alternative("check_order", 0.08),))})
    assert understand("CH-2001", classifier=torn).match.intent == "check_order"


# --- Choices ------------------------------------------------------------------------------------------

OPTIONS = tuple(Option(label=f"2025年1{n}月1日 ¥{n}.00", ref=f"charge CH-{n}") for n in range(3))


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("第一个", 0),
        ("第2笔", 1),
        ("3", 2),
        ("最后一个", 2),
        ("the first one", 0),
        ("second", 1),
        ("the last one please", 2),
        ("第二个是什么时候扣的", 1),
        ("2025年11月1日 ¥1.00", 1),
        (" 2025年11月1日¥1.00", 1),
        ("第四个", None),
        ("第一次用你们家", None),
        ("At first I thought that this was my own doing but now I wonder where the parcel is", None),
        ("我第一个月就没收到，你们什么时候能给我发货呢都等了这么久了", None),
        ("除了第一个", None),
        ("都不是", None),
    ],
)
def test_a_choice_by_label_or_place(text: str, picked: int | None) -> None:
    dialogue = Dialogue(exchanges=(exchange(intent="explain_charge", options=OPTIONS),))
    chosen = understand(text, dialogue).reference.chosen
    assert chosen == (None if picked is None else OPTIONS[picked].ref)


def test_choices_outlast_a_word_of_thanks_and_no_more() -> None:
    offered = exchange(intent="explain_charge", options=OPTIONS)
    thanked = exchange(2, intent="thank")
    asked_else = exchange(2, intent="check_order")
    assert understand("2", Dialogue(exchanges=(offered, thanked))).reference.chosen == "charge CH-1"
    assert understand("2", Dialogue(exchanges=(offered, asked_else))).reference.chosen is None
    assert place_in("第二个", 1) is None


# --- Language -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "before", "language"),
    [
        ("为什么扣我钱", None, Language.ZH_HANS),
        ("為什麼扣我錢", None, Language.ZH_HANT),
        ("Why was I charged?", None, Language.EN),
        ("好", Language.ZH_HANT, Language.ZH_HANT),
        ("好", Language.EN, Language.ZH_HANS),
        ("关了吧", Language.ZH_HANT, Language.ZH_HANS),
        ("關了吧", Language.ZH_HANS, Language.ZH_HANT),
        ("ok", Language.ZH_HANS, Language.ZH_HANS),
        ("ok", None, Language.EN),
        ("88", Language.EN, Language.EN),
        ("?", Language.ZH_HANT, Language.ZH_HANT),
        ("SUB-1001 这个怎么关", Language.EN, Language.ZH_HANS),
        ("thanks a lot", Language.ZH_HANS, Language.EN),
    ],
)
def test_the_customers_language(text: str, before: Language | None, language: Language) -> None:
    dialogue = Dialogue(exchanges=(exchange(language=before),)) if before else Dialogue()
    assert understand(text, dialogue).language is language


def test_a_picture_alone_speaks_its_own_language() -> None:
    assert understand("", pictures=({"page": "receipt", "language": "en"},)).language is Language.EN
    assert understand("", pictures=({"page": "receipt", "language": None},)).language is Language.ZH_HANS


# --- Bursts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "picture", "uploading", "recent", "waits"),
    [
        ("查订单", False, False, False, NONE),
        ("", True, False, False, LONE_PICTURE),
        ("为什么扣我钱", True, False, False, NONE),
        ("你看这个截图", False, False, False, POINTED_AT),
        ("看下图", False, False, True, NONE),
        ("see the attached screenshot", False, False, False, POINTED_AT),
        ("查订单", False, True, False, UPLOAD),
    ],
)
def test_how_long_a_burst_is_waited_for(
    text: str, picture: bool, uploading: bool, recent: bool, waits: timedelta
) -> None:
    message = entry(text).model_copy(update={"attachments": ({"id": "p"},) if picture else ()})
    left = patience([message], uploading=uploading, recent_picture=recent, now=NOW)
    assert left == waits
    assert patience([message], uploading=uploading, recent_picture=recent, now=NOW + waits) == NONE
    earlier = NOW - timedelta(hours=1)  # the clock has jumped back
    jumped = patience([message], uploading=uploading, recent_picture=recent, now=earlier, waited=waits)
    assert jumped == NONE
