"""A confirmed action: done once, and the customer told what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from bot.app import replies
from bot.domain.errors import BadRequest, Unavailable
from bot.domain.intent import Propose
from bot.domain.message import Address, Reply
from bot.domain.pace import Pace
from bot.domain.ports import ClaimedEffect, Fenced, OrderSystem, Performed, Store
from bot.domain.records import Money
from bot.domain.session import Action, Dialogue, Effect, Handoff, Owner, Session
from bot.domain.vocabulary import ActionId, CustomerId, Language, SessionId
from bot.flow.actions import Actions, as_pending
from bot.flow.wording import Wording, load_book

AGAIN = Pace().act_again
NOW = datetime(2025, 12, 2, 10, 0, tzinfo=UTC)
SESSION = Session(
    id=SessionId("s"),
    address=Address(channel="web", account="default", user="u"),
    customer=CustomerId("me"),
    owner=Owner.BOT,
    turns=1,
    dialogue=Dialogue(),
)


@dataclass
class Effects:
    """The part of a Store that keeps effects; ``fenced``: somebody else has it meanwhile."""

    effect: Effect
    fenced: bool = False
    follows: bool = False
    settled: list[tuple[str, str | None, timedelta | None, Handoff | None]] = field(default_factory=list)

    async def claim_effect(self, id: ActionId, lease: timedelta) -> ClaimedEffect | None:
        if self.settled and self.settled[-1][2] is None:
            return None
        tries = self.effect.tries + len(self.settled)
        return ClaimedEffect(self.effect.model_copy(update={"tries": tries}), tries, self.follows)

    async def settle_effect(
        self,
        claimed: ClaimedEffect,
        action: Action,
        reply: Reply | None,
        *,
        again_in: timedelta | None = None,
        accepted: bool = False,
        handoff: Handoff | None = None,
    ) -> None:
        if self.fenced:
            raise Fenced
        self.settled.append((action.status, reply.text if reply else None, again_in, handoff))


@dataclass
class Answers:
    """An order system that answers by a list, and again with the last of it."""

    answers: Sequence[Performed | Exception]
    asked: list[tuple[CustomerId, Action, ActionId]] = field(default_factory=list)

    async def perform(self, customer: CustomerId, action: Action, key: ActionId) -> Performed:
        self.asked.append((customer, action, key))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def wording() -> Wording:
    return Wording(load_book(replies()))


def actions(effects: Effects | None, orders: Answers) -> Actions:
    return Actions(cast(Store, effects), cast(OrderSystem, orders), wording(), lambda: "key-1")


def effect(**values: Any) -> Effect:
    outcome = Propose(
        key="propose",
        wording={"plan": "黄金会员", "amount": Money(Decimal("88.00"), "CNY")},
        action=Action(name="stop_auto_renewal", target="SUB-1", status="proposed"),
        intent="stop_auto_renewal",
    )
    to_do = actions(None, Answers([]))
    proposal = to_do.propose(outcome, Language.ZH_HANS, NOW)
    made = to_do.confirm(proposal, SESSION, CustomerId("me"), Language.ZH_HANS)
    return made.model_copy(update=values)


async def performed(effects: Effects, orders: Answers, times: int = 1) -> Effects:
    for _ in range(times):
        await actions(effects, orders).perform(effects.effect.proposal.id)
    return effects


def test_a_proposal_carries_its_words_and_its_key() -> None:
    made = effect()
    assert (made.proposal.id, made.turn, made.customer) == ("key-1", 2, "me")
    assert made.proposal.wording == {"plan": "黄金会员", "amount": "¥88.00"}
    assert (as_pending(made).status, made.proposal.action.status) == ("pending", "proposed")


async def test_done_once() -> None:
    orders = Answers([Performed("done")])
    effects = await performed(Effects(effect()), orders, times=3)
    assert [(customer, action.target, key) for customer, action, key in orders.asked] == [
        ("me", "SUB-1", "key-1")
    ]
    ((status, reply, again, handoff),) = effects.settled
    assert (status, again, handoff) == ("done", None, None)
    assert "已经为您关闭「黄金会员」" in (reply or "")


async def test_refused() -> None:
    ((status, reply, again, _),) = (
        await performed(Effects(effect()), Answers([Performed("refused")]))
    ).settled
    assert (status, again) == ("refused", None)
    assert "没有任何改动" in (reply or "")


@pytest.mark.parametrize(
    "answer",
    [
        Performed("unknown"),
        Performed("accepted"),
        Unavailable(),
        TimeoutError(),
        BadRequest(),
        ValueError("a bug"),
    ],
    ids=repr,
)
async def test_not_known_yet_then_done(answer: Performed | Exception) -> None:
    """Asked with the same key until there is a result; the store keeps whether it was said that it takes a while."""
    orders = Answers([answer, answer, Performed("done")])
    first, second, third = (await performed(Effects(effect()), orders, times=4)).settled
    assert (first[0], first[2]) == ("pending", AGAIN[0])
    assert "系统还在处理" in (first[1] or "")
    assert (second[0], second[2]) == ("pending", AGAIN[1])
    assert third[0] == "done"
    assert "已经为您关闭" in (third[1] or "")
    assert {key for _, _, key in orders.asked} == {"key-1"}


async def test_one_that_follows_another_is_told_of_and_not_done() -> None:
    orders = Answers([Performed("done")])
    ((status, reply, again, _),) = (await performed(Effects(effect(), follows=True), orders)).settled
    assert (status, again, orders.asked) == ("pending", AGAIN[0], [])
    assert "系统还在处理" in (reply or "")


async def test_given_up_and_handed_over() -> None:
    effects = Effects(effect(tries=len(AGAIN)))
    ((status, reply, again, handoff),) = (await performed(effects, Answers([Unavailable()]))).settled
    assert (status, again, handoff) == ("failed", None, Handoff(reason="failure"))
    assert "转接人工" in (reply or "")


async def test_somebody_elses_result_counts() -> None:
    effects = await performed(Effects(effect(), fenced=True), Answers([Performed("done")]))
    assert effects.settled == []
