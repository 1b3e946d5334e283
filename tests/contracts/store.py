"""What every Store must do, whatever database it stands on."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.errors import BadRequest, NotFound, SessionOfAnotherCustomer
from bot.domain.message import Address, Attachment, Message, Reply, Sender
from bot.domain.ports import Claimed, ClaimedEffect, Committed, Fenced, Outgoing, Store, Superseded, View
from bot.domain.session import (
    Action,
    Draft,
    Effect,
    Evidence,
    Exchange,
    Handoff,
    Holding,
    Owner,
    Proposal,
    Turn,
)
from bot.domain.vocabulary import ActionId, CustomerId, PictureId, SessionId

LEASE = timedelta(seconds=30)
NONE = timedelta(0)
"""A lease, or a delay, that is over as soon as it begins."""

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFUND = Action(name="request_refund", target="CH-1", status="pending", amount="88.00", unit="CNY")
SLOW = Holding("slow", Reply(text="请稍等"))
DOWN = Holding("down", Reply(text="系统故障"))
DONE = REFUND.model_copy(update={"status": "done"})


def address(user: str = "user-1") -> Address:
    return Address(channel="web", account="shop", user=user)


def message(key: str, text: str = "你好", user: str = "user-1", pictures: tuple[str, ...] = ()) -> Message:
    attachments = tuple(Attachment(id=PictureId(id)) for id in pictures)
    return Message(address=address(user), key=key, text=text, attachments=attachments, at=NOW)


def draft(claimed: Claimed, reply: str | None = "好的", owner: Owner = Owner.BOT, **more: Any) -> Draft:
    """A turn that answers a claim."""
    number = claimed.turns + 1
    shown = {name: more.pop(name) for name in ("actions", "handoff", "evidence") if name in more}
    session = claimed.ticket.session
    turn = Turn(session=session, turn=number, intent="greet", confidence=1, reply=reply, **shown)
    exchange = Exchange(turn=number, at=NOW, language="zh-Hans", reply=reply)
    return Draft(turn=turn, exchange=exchange, owner=owner, **more)


def refund(claimed: Claimed, id: str = "A-1") -> Draft:
    """A turn in which the customer has confirmed a refund."""
    proposal = Proposal(id=ActionId(id), action=REFUND, intent="request_refund", at=NOW)
    effect = Effect(
        proposal=proposal,
        session=claimed.ticket.session,
        turn=claimed.turns + 1,
        customer=CustomerId("C1"),
        language="zh-Hans",
    )
    return draft(claimed, reply=None, effect=effect, actions=(REFUND,))


async def claim(store: Store, session: SessionId, lease: timedelta = LEASE) -> Claimed:
    claimed = await store.claim(session, "worker", lease)
    assert claimed is not None
    return claimed


async def talk(store: Store, session: SessionId, key: str, reply: str = "好的") -> int:
    """One whole turn; returns the version."""
    await store.accept(session, message(key))
    claimed = await claim(store, session)
    return (await store.commit(claimed.ticket, draft(claimed, reply))).version


async def confirm_refund(store: Store, session: SessionId, id: str = "A-1") -> ActionId:
    await store.accept(session, message(f"yes-{id}", "是的"))
    claimed = await claim(store, session)
    await store.commit(claimed.ticket, refund(claimed, id))
    return ActionId(id)


async def claim_effect(store: Store, id: ActionId, lease: timedelta = LEASE) -> ClaimedEffect:
    claimed = await store.claim_effect(id, lease)
    assert claimed is not None
    return claimed


async def next_reply(store: Store, session: SessionId, lease: timedelta = LEASE) -> Outgoing:
    outgoing = await store.claim_reply(session, lease)
    assert outgoing is not None
    return outgoing


async def texts(store: Store, session: SessionId) -> list[str]:
    return [entry.text for entry in await store.log(session, after=0)]


class StoreContract:
    """``store`` and ``other`` are two processes' views of one empty database."""

    @pytest.fixture
    async def session(self, store: Store) -> SessionId:
        return await store.open(address(), None)

    # sessions

    async def test_an_address_has_one_session(self, store: Store, other: Store) -> None:
        opened = await asyncio.gather(*(view.open(address(), None) for view in (store, other) * 5))
        assert len(set(opened)) == 1
        assert await store.open(address("user-2"), None) not in opened

    async def test_a_session_can_be_named(self, store: Store) -> None:
        assert await store.open(address(), None, SessionId("s1")) == "s1"
        assert await store.open(address(), None) == "s1"
        assert await store.open(address(), None, SessionId("s2")) == "s1"

    async def test_a_named_session_is_found_from_its_address_only(self, store: Store) -> None:
        await store.open(address(), None, SessionId("s1"))
        with pytest.raises(NotFound):
            await store.open(address("somebody else"), None, SessionId("s1"))

    async def test_a_session_keeps_its_customer(self, store: Store) -> None:
        session = await store.open(address(), None)
        assert await store.customer_of(session) == (True, None)
        await store.open(address(), CustomerId("C1"))
        await store.open(address(), None)
        assert await store.customer_of(session) == (True, "C1")
        with pytest.raises(SessionOfAnotherCustomer):
            await store.open(address(), CustomerId("C2"))
        assert await store.customer_of(SessionId("unknown")) == (False, None)

    # accepting

    async def test_the_same_key_is_one_message(self, store: Store, other: Store, session: SessionId) -> None:
        accepted = await asyncio.gather(*(view.accept(session, message("k1")) for view in (store, other) * 5))
        assert {one.seq for one in accepted} == {1}
        assert sum(not one.duplicate for one in accepted) == 1
        assert len(await store.log(session, after=0)) == 1
        assert await store.seq_of(session, "k1") == 1
        assert await store.seq_of(session, "k2") is None

    async def test_a_first_message_opens_its_session(self, store: Store) -> None:
        named = await store.accept(SessionId("s1"), message("k1"), CustomerId("C1"))
        assert (named.session, named.seq, named.customer) == ("s1", 1, "C1")
        by_address = await store.accept(None, message("k2"))
        assert (by_address.session, by_address.seq, by_address.customer) == ("s1", 2, "C1")
        with pytest.raises(SessionOfAnotherCustomer):
            await store.accept(None, message("k3"), CustomerId("C2"))
        with pytest.raises(NotFound):
            await store.accept(SessionId("s1"), message("k3", user="somebody else"))
        assert len(await store.log(SessionId("s1"), after=0)) == 2

    async def test_a_visitor_cannot_speak_in_a_customers_session(self, store: Store) -> None:
        await store.accept(None, message("k1"), visitor=True)
        await store.accept(None, message("k2"), CustomerId("C1"))
        for key in ("k1", "k3"):
            with pytest.raises(SessionOfAnotherCustomer):
                await store.accept(None, message(key), visitor=True)
        accepted = await store.accept(None, message("k3"))  # a server vouches for nobody, and is trusted
        assert (accepted.seq, accepted.customer) == (3, "C1")

    async def test_a_view_is_a_page_with_the_session(self, store: Store, session: SessionId) -> None:
        assert await store.view(session) == View(True, None, 0, ())
        assert await store.view(SessionId("unknown"), after=3) == View(False, None, 0, ())
        for number in range(5):
            await store.accept(session, message(f"k{number}"), CustomerId("C1"))
        log = await store.log(session, after=0)
        pages = {
            (0, None, 100): [1, 2, 3, 4, 5],
            (0, None, 2): [1, 2],
            (3, None, 2): [4, 5],
            (9, None, 2): [],
            (0, 4, 2): [2, 3],
            (0, 100, 3): [3, 4, 5],
            (0, 1, 2): [],
        }
        for (after, before, limit), seqs in pages.items():
            lines = tuple(entry for entry in log if entry.seq in seqs)
            page = await store.view(session, after=after, before=before, limit=limit)
            assert page == View(True, CustomerId("C1"), 5, lines)

    async def test_a_view_leaves_out_what_is_void(self, store: Store, session: SessionId) -> None:
        await talk(store, session, "k1")
        await store.take_over(session, "小王")
        assert (await store.view(session)).last_seq == 2
        for page in (await store.view(session), await store.view(session, before=3)):
            assert [entry.seq for entry in page.lines] == [1]

    async def test_many_writers_lose_nothing(self, store: Store, other: Store, session: SessionId) -> None:
        keys = [f"k{number}" for number in range(20)]
        views = [store, other] * 10
        accepted = await asyncio.gather(
            *(view.accept(session, message(key, key)) for view, key in zip(views, keys, strict=True))
        )
        log = await store.log(session, after=0)
        assert [entry.seq for entry in log] == list(range(1, 21))
        assert {one.seq: key for one, key in zip(accepted, keys, strict=True)} == {
            entry.seq: entry.key for entry in log
        }

    async def test_any_text_survives(self, store: Store, session: SessionId) -> None:
        odd = "繁體 😀 'quoted\" \\ % :name \u202e \x01"
        await store.accept(session, message("k1", odd))
        await store.accept(session, message("k2", "a\0b"))
        assert await texts(store, session) == [odd, "a\ufffdb"]

    # claims

    async def test_a_claim_has_all_that_is_unanswered(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1", "在吗", pictures=("p1", "p2")))
        await store.accept(session, message("k2", "扣了88"))
        claimed = await claim(store, session)
        assert [entry.text for entry in claimed.messages] == ["在吗", "扣了88"]
        assert [attachment.id for attachment in claimed.messages[0].attachments] == ["p1", "p2"]
        assert claimed.messages[0].sender is Sender.CUSTOMER
        assert (claimed.address, claimed.owner, claimed.turns) == (address(), Owner.BOT, 0)
        assert claimed.ticket.upto == 2

    async def test_one_claim_at_a_time(self, store: Store, other: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claims = await asyncio.gather(*(view.claim(session, "w", LEASE) for view in (store, other) * 5))
        assert sum(claimed is not None for claimed in claims) == 1

    async def test_there_is_nothing_to_claim_without_a_message(
        self, store: Store, session: SessionId
    ) -> None:
        assert await store.claim(session, "w", LEASE) is None
        await talk(store, session, "k1")
        assert await store.claim(session, "w", LEASE) is None
        assert await store.claim(SessionId("unknown"), "w", LEASE) is None

    async def test_a_lease_that_ends_lets_others_in(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        await store.accept(session, message("k1"))
        held = await claim(store, session)
        assert await store.unanswered(9) == []
        await store.release(held.ticket)
        late = await claim(store, session, NONE)
        assert await store.unanswered(9) == [session]
        taken = await claim(other, session)
        with pytest.raises(Fenced):
            await store.commit(late.ticket, draft(late))
        assert not await store.renew(late.ticket, LEASE)
        assert await store.reclaim(late.ticket, LEASE) is None
        await other.commit(taken.ticket, draft(taken))
        assert await texts(store, session) == ["你好", "好的"]

    async def test_a_lease_can_be_renewed(self, store: Store, other: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session, NONE)
        assert await store.renew(claimed.ticket, LEASE)
        assert await other.claim(session, "w", LEASE) is None

    async def test_a_used_ticket_renews_nothing(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        await store.commit(claimed.ticket, draft(claimed))
        await store.accept(session, message("k2"))
        assert not await store.renew(claimed.ticket, LEASE)
        await claim(store, session)

    async def test_a_released_session_is_free(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        await store.release(claimed.ticket)
        assert not await store.renew(claimed.ticket, LEASE)
        assert await store.unanswered(9) == [session]
        await claim(store, session)
        await store.release(claimed.ticket)
        assert await store.unanswered(9) == []

    async def test_a_session_that_fails_does_not_starve_the_others(
        self, store: Store, session: SessionId
    ) -> None:
        await store.accept(session, message("k1"))
        await store.claim(session, "crashes", timedelta(0))
        second = await store.open(address("user-2"), None)
        await store.accept(second, message("k1", user="user-2"))
        assert await store.unanswered(1) == [second]

    # commits

    async def test_a_commit_answers(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        shown = Evidence(
            fact="amount", shown="88.00", recorded="88.00", verdict="match", record="charge CH-1"
        )
        wanted = draft(claimed, evidence=(shown,))
        version = (await store.commit(claimed.ticket, wanted)).version
        assert version > claimed.version
        assert await store.last_seq(session) == 2
        asked, said = await store.log(session, after=0)
        assert (asked.seq, asked.sender, asked.turn) == (1, Sender.CUSTOMER, 1)
        assert (said.seq, said.sender, said.turn, said.text) == (2, Sender.BOT, 1, "好的")
        assert await store.turn_of(session, 1) == wanted.turn
        assert await store.exchanges(session, NOW - timedelta(days=400), 9) == [wanted.exchange]
        assert await store.unanswered(9) == []

    async def test_newer_messages_supersede_a_turn(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1", "一"))
        claimed = await claim(store, session)
        await store.accept(session, message("k2", "二"))
        with pytest.raises(Superseded):
            await store.commit(claimed.ticket, draft(claimed))
        again = await store.reclaim(claimed.ticket, LEASE)
        assert again is not None
        assert [entry.text for entry in again.messages] == ["一", "二"]
        await store.commit(again.ticket, draft(again))
        assert await texts(store, session) == ["一", "二", "好的"]

    async def test_a_final_commit_leaves_the_newer_ones(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1", "一"))
        claimed = await claim(store, session)
        await store.accept(session, message("k2", "二"))
        await store.commit(claimed.ticket, draft(claimed), final=True)
        assert await store.unanswered(9) == [session]
        left = await claim(store, session)
        assert [entry.text for entry in left.messages] == ["二"]
        assert await store.turn_of(session, 2) is None

    async def test_a_commit_whose_answer_got_lost_is_recognised(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        kept = await store.commit(claimed.ticket, draft(claimed), sending=LEASE)
        assert kept.outgoing is not None
        again = await store.commit(claimed.ticket, draft(claimed), sending=LEASE)
        assert again.version == kept.version
        assert again.outgoing is not None
        assert (again.outgoing.key, again.outgoing.entry) == (kept.outgoing.key, kept.outgoing.entry)
        with pytest.raises(Fenced):
            await store.settle_reply(kept.outgoing)
        await store.settle_reply(again.outgoing)
        await talk(other, session, "k2")
        late = await store.commit(claimed.ticket, draft(claimed), sending=LEASE)
        assert late == Committed(kept.version)
        assert await texts(store, session) == ["你好", "好的", "你好", "好的"]

    async def test_exchanges_are_the_latest_in_order(self, store: Store, session: SessionId) -> None:
        for number in range(5):
            await talk(store, session, f"k{number}")
        latest = await store.exchanges(session, NOW - timedelta(days=400), 3)
        assert [exchange.turn for exchange in latest] == [3, 4, 5]
        assert await store.exchanges(session, datetime.now(UTC) + timedelta(days=1), 3) == []

    # holding answers

    async def test_a_holding_answer_is_said_beside_the_turn(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1", "查订单"))
        claimed = await claim(store, session)
        assert await store.hold(claimed.ticket, SLOW)
        assert not await store.hold(claimed.ticket, SLOW)
        said = await next_reply(store, session)
        assert (said.entry.text, said.entry.turn) == ("请稍等", None)
        committed = await store.commit(claimed.ticket, draft(claimed))
        assert committed.version == claimed.version + 1
        assert await texts(store, session) == ["查订单", "请稍等", "好的"]
        assert await store.turn_of(session, 1) is not None

    async def test_each_reason_and_each_message_has_its_own(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        await store.accept(session, message("k1", "一"))
        claimed = await claim(store, session)
        assert await store.hold(claimed.ticket, SLOW)
        assert await store.hold(claimed.ticket, DOWN, again_in=NONE)
        again = await claim(other, session)
        assert not await other.hold(again.ticket, SLOW)
        assert not await other.hold(again.ticket, DOWN, again_in=NONE)
        await store.accept(session, message("k2", "二"))
        more = await claim(store, session)
        assert await store.hold(more.ticket, DOWN)
        assert await texts(store, session) == ["一", "请稍等", "系统故障", "二", "系统故障"]

    async def test_a_turn_can_be_put_off(self, store: Store, other: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        assert (claimed.held_seq, claimed.held_for) == (0, None)
        await store.hold(claimed.ticket, DOWN, again_in=LEASE)
        assert await store.unanswered(9) == []
        assert await other.claim(session, "w", LEASE) is None
        assert not await store.renew(claimed.ticket, LEASE)
        with pytest.raises(Fenced):
            await store.commit(claimed.ticket, draft(claimed))
        with pytest.raises(Fenced):
            await store.hold(claimed.ticket, DOWN, again_in=LEASE)
        await store.resume()
        assert await store.unanswered(9) == [session]
        again = await claim(other, session)
        assert again.messages == claimed.messages
        assert (again.version, again.held_seq) == (claimed.version, 1)
        assert again.held_for is not None
        assert NONE <= again.held_for < timedelta(seconds=20)
        await other.commit(again.ticket, draft(again))
        await store.accept(session, message("k2"))
        assert (await claim(store, session)).held_for is None

    async def test_a_new_message_ends_the_putting_off(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1", "一"))
        await store.hold((await claim(store, session)).ticket, DOWN, again_in=LEASE)
        await store.accept(session, message("k2", "二"))
        assert await store.unanswered(9) == [session]
        again = await claim(store, session)
        assert [entry.text for entry in again.messages] == ["一", "二"]
        await store.accept(session, message("k3", "三"))
        assert await store.unanswered(9) == []
        await store.hold(again.ticket, None, again_in=LEASE)
        assert await store.unanswered(9) == [session]

    async def test_who_has_waited_longest_comes_first(self, store: Store) -> None:
        waiting = [await store.open(address(f"user-{number}"), None) for number in range(4)]
        for number, session in enumerate(waiting):
            await store.accept(session, message("k1", user=f"user-{number}"))
            await store.hold((await claim(store, session)).ticket, DOWN, again_in=NONE)
            await asyncio.sleep(0.002)  # the clock of SQLite counts milliseconds
        for session in reversed(waiting):
            await store.hold((await claim(store, session)).ticket, None, again_in=LEASE)
        assert await store.unanswered(9) == []
        await store.resume()
        assert await store.unanswered(9) == waiting

    async def test_nothing_is_held_under_a_person(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        await store.take_over(session, "小王")
        with pytest.raises(Fenced):
            await store.hold(claimed.ticket, DOWN)
        noted = await claim(store, session)
        assert not await store.hold(noted.ticket, DOWN)
        assert await texts(store, session) == ["你好"]

    async def test_a_person_may_take_over_what_was_put_off(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1"))
        await store.hold((await claim(store, session)).ticket, DOWN, again_in=LEASE)
        await store.take_over(session, "小王")
        assert (await claim(store, session)).owner is Owner.HUMAN
        assert await texts(store, session) == ["你好"]  # what was not sent yet is void

    # people

    async def test_handing_off_is_part_of_the_commit(self, store: Store, session: SessionId) -> None:
        await store.accept(session, message("k1", "转人工"))
        claimed = await claim(store, session)
        asked = Handoff(reason="asked")
        await store.commit(claimed.ticket, draft(claimed, "请稍候", Owner.WAITING, handoff=asked))
        await store.accept(session, message("k2", "在吗"))
        waiting = await claim(store, session)
        assert (waiting.owner, waiting.handoff) == (Owner.WAITING, asked)

    async def test_the_bot_is_silent_under_a_person(self, store: Store, session: SessionId) -> None:
        await talk(store, session, "k1", "机器人说")
        await store.accept(session, message("k2"))
        claimed = await claim(store, session)
        await store.take_over(session, "小王")
        with pytest.raises(Fenced):
            await store.commit(claimed.ticket, draft(claimed))
        assert await store.undelivered(9) == []
        assert await store.claim_reply(session, LEASE) is None
        assert "机器人说" not in await texts(store, session)
        noted = await claim(store, session)
        assert noted.owner is Owner.HUMAN
        assert noted.version > claimed.version

    async def test_a_reply_on_its_way_when_a_person_comes_is_not_tried_again(
        self, store: Store, session: SessionId
    ) -> None:
        await talk(store, session, "k1")
        outgoing = await next_reply(store, session)
        await store.take_over(session, "小王")
        await store.settle_reply(outgoing, again_in=timedelta(0))
        assert await store.claim_reply(session, LEASE) is None

    async def test_people_answer_in_order(self, store: Store, session: SessionId) -> None:
        with pytest.raises(BadRequest):
            await store.say(session, "小王", Reply(text="您好"), "a1")
        await store.take_over(session, "小王")
        first = await store.say(session, "小王", Reply(text="您好"), "a1")
        assert await store.say(session, "小王", Reply(text="您好"), "a1") == first
        await store.say(session, "小王", Reply(text="我看一下"), "a2")
        assert await store.undelivered(9) == [session]
        for text in ("您好", "我看一下"):
            outgoing = await next_reply(store, session)
            assert (outgoing.entry.text, outgoing.entry.sender) == (text, Sender.AGENT)
            await store.settle_reply(outgoing)
        assert await store.undelivered(9) == []

    async def test_handing_back_fences_what_was_noted(self, store: Store, session: SessionId) -> None:
        await store.take_over(session, "小王")
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        await store.hand_back(session, "小王")
        with pytest.raises(Fenced):
            await store.commit(claimed.ticket, draft(claimed, None, Owner.HUMAN))
        assert (await claim(store, session)).owner is Owner.BOT

    async def test_a_closed_session_opens_again(self, store: Store, session: SessionId) -> None:
        await store.take_over(session, "小王")
        await store.close(session, "小王")
        assert await store.unanswered(9) == []
        await store.accept(session, message("k1"))
        assert (await claim(store, session)).owner is Owner.BOT

    # effects

    async def test_an_effect_is_settled_once(self, store: Store, other: Store, session: SessionId) -> None:
        id = await confirm_refund(store, session)
        assert await store.due_effects(9) == [id]
        claims = await asyncio.gather(*(view.claim_effect(id, LEASE) for view in (store, other) * 5))
        (claimed,) = (one for one in claims if one is not None)
        assert claimed.effect.proposal.action == REFUND
        assert await store.due_effects(9) == []
        await store.settle_effect(claimed, DONE, Reply(text="已退款", quick_replies=("谢谢",)))
        await store.settle_effect(claimed, DONE, Reply(text="已退款", quick_replies=("谢谢",)))
        assert await store.due_effects(9) == []
        assert await store.claim_effect(id, LEASE) is None
        assert await texts(store, session) == ["是的", "已退款"]
        turn = await store.turn_of(session, 1)
        assert turn is not None
        assert (turn.reply, turn.quick_replies, turn.actions) == ("已退款", ("谢谢",), (DONE,))
        (exchange,) = await store.exchanges(session, NOW - timedelta(days=400), 9)
        assert exchange.reply == "已退款"

    async def test_a_result_makes_the_remembered_dialogue_stale(
        self, store: Store, session: SessionId
    ) -> None:
        id = await confirm_refund(store, session)
        await store.accept(session, message("k2"))
        before = await claim(store, session)
        await store.settle_effect(await claim_effect(store, id), DONE, Reply(text="已退款"))
        after = await store.reclaim(before.ticket, LEASE)
        assert after is not None
        assert after.version > before.version

    async def test_a_failure_hands_off_whatever_is_under_way(self, store: Store, session: SessionId) -> None:
        id = await confirm_refund(store, session)
        await store.accept(session, message("k2"))
        under_way = await claim(store, session)
        failed, why = REFUND.model_copy(update={"status": "failed"}), Handoff(reason="failure")
        await store.settle_effect(await claim_effect(store, id), failed, Reply(text="请稍候"), handoff=why)
        with pytest.raises(Fenced):
            await store.commit(under_way.ticket, draft(under_way))
        waiting = await claim(store, session)
        assert (waiting.owner, waiting.handoff) == (Owner.WAITING, why)

    async def test_an_effect_survives_a_crash(self, store: Store, other: Store, session: SessionId) -> None:
        id = await confirm_refund(store, session)
        crashed = await claim_effect(store, id, NONE)
        assert await other.due_effects(9) == [id]
        taken = await claim_effect(other, id)
        assert (crashed.effect.tries, taken.effect.tries) == (0, 1)
        with pytest.raises(Fenced):
            await store.settle_effect(crashed, DONE, Reply(text="已退款"))
        await other.settle_effect(taken, DONE, Reply(text="已退款"))
        assert await texts(store, session) == ["是的", "已退款"]

    async def test_an_effect_can_be_put_off(self, store: Store, session: SessionId) -> None:
        id = await confirm_refund(store, session)
        claimed = await claim_effect(store, id)
        for _ in range(2):  # the second as if the first one's answer had got lost
            await store.settle_effect(claimed, REFUND, Reply(text="处理中"), again_in=LEASE)
        assert await store.due_effects(9) == []
        assert await store.claim_effect(id, LEASE) is None
        await store.settle_effect(claimed, REFUND, None, again_in=NONE)
        again = await claim_effect(store, id)
        await store.settle_effect(again, DONE, Reply(text="已退款"))
        assert await texts(store, session) == ["是的", "处理中", "已退款"]

    async def test_that_it_is_pending_is_said_once_whoever_dies(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        id = await confirm_refund(store, session)
        await claim_effect(store, id, NONE)  # dies before it says anything
        for _ in range(2):
            again = await claim_effect(other, id)
            await other.settle_effect(again, REFUND, Reply(text="处理中"), again_in=NONE)
        assert await texts(store, session) == ["是的", "处理中"]
        turn = await store.turn_of(session, 1)
        assert turn is not None
        assert turn.reply == "处理中"

    async def test_effects_of_a_session_keep_their_order(self, store: Store, session: SessionId) -> None:
        first, second = [await confirm_refund(store, session, id) for id in ("A-1", "A-2")]
        assert await store.due_effects(9) == [first, second]
        follows = await claim_effect(store, second)
        assert follows.follows
        await store.settle_effect(follows, REFUND, Reply(text="第二笔处理中"), again_in=NONE)
        assert await store.due_effects(9) == [first]
        assert await store.claim_effect(second, LEASE) is None
        leads = await claim_effect(store, first)
        assert not leads.follows
        await store.settle_effect(leads, DONE, Reply(text="第一笔已退"))
        assert await store.due_effects(9) == [second]
        assert not (await claim_effect(store, second)).follows

    async def test_what_the_order_system_has_holds_up_nothing(self, store: Store, session: SessionId) -> None:
        first, second = [await confirm_refund(store, session, id) for id in ("A-1", "A-2")]
        leads = await claim_effect(store, first)
        await store.settle_effect(leads, REFUND, Reply(text="处理中"), again_in=LEASE, accepted=True)
        assert not (await claim_effect(store, second)).follows

    async def test_effects_are_due_when_all_is_well_again(self, store: Store, session: SessionId) -> None:
        id = await confirm_refund(store, session)
        await store.settle_effect(await claim_effect(store, id), REFUND, None, again_in=LEASE)
        assert await store.due_effects(9) == []
        await store.resume()
        assert await store.due_effects(9) == [id]

    async def test_a_result_is_kept_but_not_said_under_a_person(
        self, store: Store, session: SessionId
    ) -> None:
        claimed = await claim_effect(store, await confirm_refund(store, session))
        await store.take_over(session, "小王")
        await store.settle_effect(claimed, DONE, Reply(text="已退款"))
        assert await texts(store, session) == ["是的"]
        turn = await store.turn_of(session, 1)
        assert turn is not None
        assert (turn.reply, turn.actions) == (None, (DONE,))

    async def test_what_a_turn_shows_of_an_action_stays_masked(
        self, store: Store, session: SessionId
    ) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        wanted = refund(claimed)
        masked = REFUND.model_copy(update={"address": "北京市***"})
        shown = wanted.model_copy(update={"turn": wanted.turn.model_copy(update={"actions": (masked,)})})
        await store.commit(claimed.ticket, shown)
        plain = REFUND.model_copy(update={"address": "北京市朝阳区1号", "status": "done"})
        await store.settle_effect(await claim_effect(store, ActionId("A-1")), plain, None)
        turn = await store.turn_of(session, 1)
        assert turn is not None
        assert turn.actions == (masked.model_copy(update={"status": "done"}),)

    # replies

    async def test_replies_go_out_in_order_one_at_a_time(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        for number in range(3):
            await talk(store, session, f"k{number}", f"答{number}")
        sent, keys = [], []
        while await store.undelivered(9):
            claims = await asyncio.gather(*(view.claim_reply(session, LEASE) for view in (store, other) * 2))
            (outgoing,) = (one for one in claims if one is not None)
            assert await store.undelivered(9) == []
            sent.append(outgoing.entry.text)
            keys.append(outgoing.key)
            await other.settle_reply(outgoing)
        assert sent == ["答0", "答1", "答2"]
        assert len(set(keys)) == 3

    async def test_a_reply_is_claimed_with_its_turn(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        await store.accept(session, message("k1"))
        claimed = await claim(store, session)
        kept = await store.commit(claimed.ticket, draft(claimed, "一"), sending=LEASE)
        assert await other.claim_reply(session, LEASE) is None
        assert kept.outgoing is not None
        entry = kept.outgoing.entry
        assert [entry] == list(await store.log(session, after=1))
        await talk(other, session, "k2", "二")
        assert await store.settle_reply(kept.outgoing)
        second = await next_reply(store, session)
        assert (second.entry.text, second.tries) == ("二", 0)
        assert second.key != kept.outgoing.key
        assert not await store.settle_reply(second)

    async def test_what_is_queued_before_goes_first(self, store: Store, session: SessionId) -> None:
        await talk(store, session, "k1", "一")
        await store.accept(session, message("k2"))
        claimed = await claim(store, session)
        kept = await store.commit(claimed.ticket, draft(claimed, "二"), sending=LEASE)
        assert kept.outgoing is None
        assert (await next_reply(store, session)).entry.text == "一"

    async def test_a_sender_that_died_is_replaced(
        self, store: Store, other: Store, session: SessionId
    ) -> None:
        await talk(store, session, "k1")
        late = await next_reply(store, session, NONE)
        again = await next_reply(other, session)
        assert (again.key, again.entry) == (late.key, late.entry)
        assert (late.tries, again.tries) == (0, 1)
        with pytest.raises(Fenced):
            await store.settle_reply(late)
        await other.settle_reply(again)
        assert await store.claim_reply(session, LEASE) is None

    async def test_a_reply_that_failed_holds_up_the_next(self, store: Store, session: SessionId) -> None:
        await talk(store, session, "k1", "一")
        await talk(store, session, "k2", "二")
        failed = await next_reply(store, session)
        await store.settle_reply(failed, again_in=LEASE)
        assert await store.undelivered(9) == []
        assert await store.claim_reply(session, LEASE) is None
        await store.settle_reply(failed, again_in=NONE)
        assert await store.undelivered(9) == [session]
        again = await next_reply(store, session)
        assert (again.entry.text, again.tries) == ("一", 1)
        await store.settle_reply(again, give_up=True)
        assert (await next_reply(store, session)).entry.text == "二"

    # the whole

    async def test_it_answers_and_has_no_complaints(self, store: Store) -> None:
        await store.ping()
        for complaint in await store.complaints():
            assert complaint.endswith(".")

    async def test_a_cancelled_call_leaves_nothing_locked(self, store: Store, session: SessionId) -> None:
        calls = [asyncio.create_task(store.accept(session, message(f"k{number}"))) for number in range(8)]
        await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        accepted = await store.accept(session, message("last"))
        assert [entry.seq for entry in await store.log(session, after=0)] == list(range(1, accepted.seq + 1))
