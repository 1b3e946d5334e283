"""Scripted dialogues through the whole bot: what is said in each turn, and what must come of it.

A dialogue is data, in ``dialogues/*.yml``. Each step sends ``say`` and ``pictures`` and checks what it names:

``intent``, ``handoff`` (the reason, or null), ``actions`` (``name target status``; not named: none),
``reply`` and ``not`` (parts that must and must not be there), ``language``, ``quick`` (all the quick
replies) or ``offers`` (some of them), ``evidence`` (fact: verdict), ``records`` (number: fields in the
order store afterwards). ``later`` moves the clock on before the step, ``forget`` loses all of Redis.
"""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from bot.domain.session import Turn
from tests.shop import Shop, open_shop

FOLDER = Path(__file__).parent / "dialogues"
NOW = datetime(2025, 12, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Tuesday
STEP = {
    "say", "pictures", "intent", "handoff", "actions", "reply", "not", "language", "quick", "offers",
    "evidence", "records", "later", "forget", "silent",
}  # fmt: skip


def dialogues() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.yml")):
        for dialogue in yaml.safe_load(file.read_text("utf-8")):
            yield pytest.param(dialogue, id=f"{file.stem}: {dialogue['name']}")


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> AsyncIterator[Shop]:
    async with open_shop(tmp_path_factory.mktemp("home"), trained, NOW) as shop:
        yield shop


@pytest.mark.parametrize("dialogue", list(dialogues()))
async def test_dialogue(shop: Shop, dialogue: dict[str, Any]) -> None:
    await shop.fresh(NOW)
    for number, step in enumerate(dialogue["steps"], 1):
        assert set(step) <= STEP, f"step {number}: {set(step) - STEP}"
        shop.hands.now += timedelta(minutes=step.get("later", 0))
        if step.get("forget"):
            await shop.forget()
        turn = await shop.say(
            dialogue["name"], dialogue.get("customer"), step.get("say", ""), step.get("pictures", ())
        )
        problems = [*told(turn, step), *[p async for p in stored(shop, step)]]
        assert not problems, f"step {number}, {step.get('say')!r}\n" + "\n".join([*problems, shown(turn)])


def told(turn: Turn, step: dict[str, Any]) -> Iterator[str]:
    """Where a turn is not what its step says."""
    actions = [f"{a.name} {a.target} {a.status}" for a in turn.actions]
    yield from unequal("actions", actions, step.get("actions", []))
    yield from unequal("handoff", turn.handoff.reason if turn.handoff else None, step.get("handoff"))
    if "intent" in step:
        yield from unequal("intent", turn.intent, step["intent"])
    reply = turn.reply or ""
    if bool(reply) == bool(step.get("silent")):
        yield f"reply: {turn.reply!r}"
    yield from (f"reply: lacks {part!r}" for part in listed(step.get("reply", ())) if part not in reply)
    yield from (f"reply: has {part!r}" for part in listed(step.get("not", ())) if part in reply)
    if "quick" in step:
        yield from unequal("quick", list(turn.quick_replies), step["quick"])
    missing = set(step.get("offers", ())) - set(turn.quick_replies)
    if missing:
        yield f"quick: lacks {missing}"
    if "evidence" in step:
        yield from unequal("evidence", {e.fact: e.verdict for e in turn.evidence}, step["evidence"])
    if "language" in step:
        yield from unequal("language", written_in(reply), step["language"])


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def unequal(what: str, is_: Any, should_be: Any) -> Iterator[str]:
    if is_ != should_be:
        yield f"{what}: {is_!r}, should be {should_be!r}"


async def stored(shop: Shop, step: dict[str, Any]) -> AsyncIterator[str]:
    """Where the order store is not as the step says."""
    for number, fields in step.get("records", {}).items():
        record = await shop.show(number)
        for problem in unequal(number, {name: record[name] for name in fields}, fields):
            yield problem


def shown(turn: Turn) -> str:
    return f"{turn.intent} {turn.confidence}\n{turn.reply}\n{turn.quick_replies} {turn.evidence}"


def written_in(text: str) -> str:
    """The language and script of a reply; names in quotation marks keep the shop's own."""
    text = re.sub(r'"[^"]*"|「[^」]*」|“[^”]*”', "", text)
    if not any("\u4e00" <= char <= "\u9fff" for char in text):
        return "en"
    return "zh-Hant" if to("t2s").convert(text) != text else "zh-Hans"


@cache
def to(script: str) -> Any:
    from opencc import OpenCC

    return OpenCC(script)


BILL = {"page": "charge_notice", "amount": "88.00 CNY", "charged_at": "2025-12-01T08:30"}


async def test_the_dialogue_is_the_same_from_redis_and_from_sql(shop: Shop) -> None:
    await shop.fresh(NOW)
    for text, pictures in (("为什么扣我钱？", [BILL]), ("谢谢", []), ("88那笔是什么", []), ("先别", [])):
        await shop.say("two memories", "gold", text, pictures)
        assert await shop.remembered("two memories") == await shop.rebuilt("two memories")


async def test_a_result_that_came_late_is_part_of_the_dialogue(shop: Shop) -> None:
    await shop.fresh(NOW)
    await shop.say("late", "gold", "关闭自动续费")
    await shop.say("late", "gold", "好的")
    await shop.forget()
    await shop.say("late", "gold", "谢谢")
    remembered = await shop.remembered("late")
    assert remembered == await shop.rebuilt("late")
    assert remembered is not None
    assert "已经为您关闭" in (remembered.exchanges[1].reply or "")


async def test_the_conversation_goes_on_after_a_restart(
    tmp_path: Path, trained: Path, anyio_backend: str
) -> None:
    async with open_shop(tmp_path, trained, NOW) as shop:
        await shop.fresh(NOW)
        await shop.say("on", "gold", "为什么扣我钱？", [BILL])
    async with open_shop(tmp_path, trained, NOW + timedelta(minutes=1)) as shop:
        turn = await shop.say("on", "gold", "关了吧")
        assert [a.status for a in turn.actions] == ["done"]
        assert not (await shop.show("SUB-1001"))["auto_renewal"]


async def test_an_order_system_that_is_down_for_acting(shop: Shop) -> None:
    """The customer is told that it takes a while; it is done once, later, and told then."""
    await shop.fresh(NOW)
    await shop.say("down", "gold", "关闭自动续费")
    shop.orders.down.add("perform")
    try:
        turn = await shop.say("down", "gold", "好的")
    finally:
        shop.orders.down.clear()
    assert [(a.target, a.status) for a in turn.actions] == [("SUB-1001", "pending")]
    assert turn.reply is not None
    assert "系统还在处理" in turn.reply
    again = await shop.say("down", "gold", "好的")
    assert again.actions == ()
    replies = await shop.replies_until("down", lambda reply: "已经为您关闭" in reply)
    assert len([reply for reply in replies if "已经为您关闭" in reply]) == 1
    assert [target for _, target in shop.orders.performed] == ["SUB-1001"]
    assert not (await shop.show("SUB-1001"))["auto_renewal"]
    off = await shop.say("down", "gold", "关闭自动续费")
    assert "已经是关闭状态" in (off.reply or "")


async def test_an_order_system_that_is_down_for_reading(shop: Shop) -> None:
    """What was read is kept; the customer hears the truth and gets a person."""
    await shop.fresh(NOW)
    shop.orders.down.add("records")
    try:
        hello = await shop.say("blind", "gold", "您好")
        turn = await shop.say("blind", "gold", "为什么扣我钱？", [BILL])
        waiting = await shop.say("blind", "gold", "有人吗")
    finally:
        shop.orders.down.clear()
    assert hello.handoff is None
    assert turn.handoff is not None
    assert turn.handoff.reason == "failure"
    assert (turn.intent, turn.page, turn.evidence) == ("explain_charge", "charge_notice", ())
    assert "系统这会儿出了点问题" in (turn.reply or "")
    assert "排队" in (waiting.reply or "")
