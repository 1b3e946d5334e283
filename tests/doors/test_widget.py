"""``WS /ws``, as a browser uses it."""

import asyncio
import json
from contextlib import suppress
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosed

from bot.doors.widget import FORBIDDEN
from tests.doors.bot import SOON, Bot, Tab, signature

STATUSES = {"reading", "thinking", "waiting", "human"}


async def test_a_new_session_has_a_name_that_nobody_can_guess(bot: Bot) -> None:
    names = []
    for _ in range(3):
        async with bot.tab() as tab:
            assert tab.hello == {"type": "hello", "session": tab.session, "last_seq": 0, "after": 0}
            names.append(tab.session)
    assert len({*names}) == 3
    assert all(len(name) >= 22 for name in names)


async def test_a_message_is_accepted_then_shown_then_answered(bot: Bot) -> None:
    async with bot.tab() as tab:
        id = await tab.say("你好")
        answer = await tab.answer()
        kinds = [frame["type"] for frame in tab.seen if frame["type"] != "status"]
        assert kinds == ["hello", "accepted", "message", "message"]
        assert tab.seen[1] == {"type": "accepted", "client_id": id, "seq": 1}
        assert {frame["status"] for frame in tab.seen if frame["type"] == "status"} <= STATUSES
        own = tab.lines[0]
        assert own["seq"] == 1
        assert (own["from"], own["text"], own["attachments"], own["client_id"]) == (
            "customer",
            "你好",
            [],
            id,
        )
        assert answer["seq"] == 2
        assert answer["text"]
        assert answer["attachments"] == []
        assert isinstance(answer["quick_replies"], list)


async def test_accepted_and_status_always_come_before_the_answer(bot: Bot) -> None:
    async with bot.tab() as tab:
        for number in range(8):
            await tab.say("你好", client_id=f"m{number}")
            await tab.answer()
        for number in range(8):
            place = tab.seen.index({"type": "accepted", "client_id": f"m{number}", "seq": 2 * number + 1})
            answer = next(line for line in tab.lines if line["seq"] == 2 * number + 2)
            assert place < tab.seen.index(answer)
        for before, frame in pairwise(tab.seen):
            stale = frame["type"] == "status" and before.get("from") == "bot"
            assert not stale, "it has been answered: the bot no longer thinks"


async def test_a_resumed_session_shows_what_was_missed_in_order(bot: Bot) -> None:
    async with bot.tab() as tab:
        for text in ("一", "二", "三"):
            await tab.say(text)
            await tab.answer()
    for last_seq in (0, 1, 3, 5):
        async with bot.tab(session=tab.session, last_seq=last_seq) as again:
            assert again.hello["last_seq"] == 6
            await again.until("message", seq=6)
            assert again.lines == tab.lines[last_seq:]


async def test_two_tabs_of_one_session_see_the_same_log(bot: Bot) -> None:
    async with bot.tab() as one, bot.tab(session=one.session) as two:
        assert two.session == one.session, "though nothing has been said in it yet"
        await one.say("你好")
        await one.answer()
        await two.answer()
        await two.say("再见")
        await two.answer()
        await one.answer()
        assert one.lines == two.lines
        assert [line["seq"] for line in one.lines] == [1, 2, 3, 4]


async def test_the_same_client_id_is_one_message_and_one_turn(bot: Bot) -> None:
    async with bot.tab() as one, bot.tab(session=one.session) as two:
        await asyncio.gather(*(tab.say("你好", client_id="same") for tab in (one, two) for _ in range(8)))
        for tab in (one, two):
            for _ in range(8):
                assert (await tab.until("accepted"))["seq"] == 1
    async with bot.tab(session=one.session, last_seq=0) as again:
        await again.say("你好", client_id="same")
        assert (await again.until("accepted"))["seq"] == 1
        await again.say("完了")
        while (await again.answer())["seq"] < 4:
            pass
        assert [line["text"] for line in again.lines if line["from"] == "customer"] == ["你好", "完了"]
        assert [line["seq"] for line in again.lines] == [1, 2, 3, 4]


async def test_a_message_sent_again_after_a_cut_is_one(bot: Bot) -> None:
    """The socket breaks before ``accepted`` came, in the very first message of a session."""
    async with bot.tab() as tab:
        await tab.say("你好", client_id="first")
        tab.connection.transport.abort()
    async with bot.tab(session=tab.session) as again:
        await again.say("你好", client_id="first")
        await again.until("accepted", seq=1)
        await again.until("message", seq=2)
        assert [line["seq"] for line in again.lines] == [1, 2]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"type": "message", "client_id": "a", "text": "x"', "bad_request"),
        ("", "bad_request"),
        ("null", "bad_request"),
        ("[]", "bad_request"),
        ("NaN", "bad_request"),
        ("[" * 10_000, "bad_request"),
        ('{"type": "launch"}', "bad_request"),
        ('{"kind": "message"}', "bad_request"),
        ('{"type": "message", "text": "x"}', "bad_request"),
        ('{"type": "message", "client_id": "", "text": "x"}', "bad_request"),
        ('{"type": "message", "client_id": "a\\u0000b", "text": "x"}', "bad_request"),
        ('{"type": "message", "client_id": "%s", "text": "x"}' % ("a" * 121), "bad_request"),
        ('{"type": "message", "client_id": "a", "text": "x", "role": "system"}', "bad_request"),
        ('{"type": "message", "client_id": "a", "text": "x", "%s": 1}' % ("k" * 100_000), "bad_request"),
        ('{"type": "message", "client_id": "a", "text": 1%s}' % ("0" * 5000), "bad_request"),
        ('{"type": "message", "client_id": "a", "text": "\\ud800"}', "bad_text"),
        ('{"type": "message", "client_id": "a", "text": "\\udc00x"}', "bad_text"),
        ('{"type": "message", "client_id": "a", "text": "x\\u0000y"}', "bad_text"),
        ('{"type": "message", "client_id": "a", "text": ""}', "bad_text"),
        ('{"type": "message", "client_id": "a", "text": " \\n "}', "bad_text"),
        ('{"type": "message", "client_id": "a", "text": "%s"}' % ("长" * 4001), "text_too_long"),
        ('{"type": "message", "client_id": "a", "text": "%s"}' % ("a" * 2**20), "text_too_long"),
        ('{"type": "message", "client_id": "a", "attachments": ["nowhere"]}', "not_found"),
        ('{"type": "message", "client_id": "a", "attachments": ["../../etc/passwd"]}', "not_found"),
        (json.dumps({"type": "message", "client_id": "a", "attachments": ["p"] * 10}), "bad_request"),
        ('{"type": "hello", "last_seq": 0}', "bad_request"),
        (b'{"type": "message", "client_id": "a", "text": "x"}', "bad_request"),
        (b"\x00\xff", "bad_request"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_bad_frame_is_answered_and_nothing_is_kept(bot: Bot, frame: str | bytes, code: str) -> None:
    async with bot.tab() as tab:
        await tab.connection.send(frame)
        assert await tab.refused() == code
        assert len(tab.seen[-1]["message"]) < 1000
        assert await bot.app.store.customer_of(tab.session) == (False, None)  # type: ignore[arg-type]
        await (await tab.connection.ping())


async def test_an_error_names_the_message_that_it_is_about(bot: Bot) -> None:
    async with bot.tab() as tab:
        for text in ("a" * 2**20, "\ud800", "\x00"):
            await tab.say(text, client_id="m1")
            assert (await tab.until("error"))["client_id"] == "m1"
        await tab.send(type="message", client_id="m2", text="x", more=1)
        assert (await tab.until("error"))["client_id"] == "m2"
        await tab.say("你好", client_id="m2")
        assert (await tab.answer())["seq"] == 2


async def test_a_frame_beyond_all_measure_ends_the_socket(bot: Bot) -> None:
    async with bot.tab() as tab:
        with suppress(ConnectionClosed):
            await tab.connection.send("a" * 3 * 2**20)
        with pytest.raises(ConnectionClosed) as closed:
            await tab.next()
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1009


async def test_a_message_before_hello_is_refused_and_hello_still_welcome(bot: Bot) -> None:
    async with bot.socket() as tab:
        await tab.say("你好")
        assert await tab.refused() == "bad_request"
        await tab.send(type="hello", last_seq=0)
        assert (await tab.until("hello"))["last_seq"] == 0


@pytest.mark.parametrize("session", ["", "a b", "a/b", "../x", "a\nb", "x" * 121, "\x00", 7])
async def test_a_bad_session_name_is_refused(bot: Bot, session: object) -> None:
    async with bot.socket() as tab:
        await tab.send(type="hello", session=session, last_seq=0)
        assert await tab.refused() == "bad_request"


async def test_an_unknown_session_name_gets_a_new_session(bot: Bot) -> None:
    async with bot.tab(session="1") as tab:
        assert tab.session != "1"


async def test_acks_and_typing_are_taken_silently(bot: Bot) -> None:
    async with bot.tab() as tab:
        await tab.send(type="ack", seq=0)
        await tab.send(type="typing")
        await tab.say("你好")
        await tab.answer()
        assert not [frame for frame in tab.seen if frame["type"] == "error"]


async def test_a_picture_and_a_question_are_answered_from_the_records(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        picture = await bot.upload()
        await tab.say("为什么扣我钱", picture)
        assert "88.00" in (await tab.answer())["text"]
        assert tab.lines[0]["attachments"] == [picture]
        assert "reading" in [frame.get("status") for frame in tab.seen]


async def test_a_visitor_is_shown_no_record(bot: Bot) -> None:
    async with bot.tab() as tab:
        await tab.say("为什么扣我钱", await bot.upload())
        assert "黄金会员" not in (await tab.answer())["text"]


async def refused_hello(bot: Bot, **hello: object) -> str:
    """The code of the error; the socket is closed after it."""
    async with bot.socket() as tab:
        await tab.send(type="hello", last_seq=0, **hello)
        code = await tab.refused()
        with pytest.raises(ConnectionClosed) as closed:
            await tab.next()
        assert closed.value.rcvd
        assert closed.value.rcvd.code == FORBIDDEN
        return code


async def test_a_customer_is_believed_by_the_right_signature_alone(bot: Bot) -> None:
    right = signature("C1")
    wrong: list[dict[str, object]] = [
        {"customer": "C1"},
        {"customer": "C1", "signature": ""},
        {"customer": "C2", "signature": right["signature"]},
        {"customer": "C1", "signature": right["signature"][:-1]},
        {"customer": "C1", "signature": "é" * 64},
        {**signature("C1", "another secret")},
    ]
    for hello in wrong:
        assert await refused_hello(bot, **hello) == "bad_signature"
    async with bot.tab(**right):
        pass


async def test_a_customers_session_is_closed_to_everybody_else(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        await tab.say("你好")
        await tab.answer()
    assert await refused_hello(bot, session=tab.session) == "session_of_another_customer"
    assert await refused_hello(bot, session=tab.session, **signature("C2")) == "session_of_another_customer"
    async with bot.tab(session=tab.session, **signature("C1")) as again:
        await again.until("message", seq=2)


async def test_a_visitor_loses_sight_of_a_session_that_becomes_a_customers(bot: Bot) -> None:
    async with bot.tab() as visitor:
        await visitor.say("你好")
        await visitor.answer()
        async with bot.tab(session=visitor.session, **signature("C1")) as customer:
            await customer.say("为什么扣我钱")
            await customer.until("message", seq=4)
        assert (await visitor.until("error"))["code"] == "session_of_another_customer"
        with pytest.raises(ConnectionClosed):
            await visitor.next()
        assert len(visitor.lines) == 2


@pytest.mark.full
async def test_too_many_messages_at_once_are_told_to_slow_down(bot: Bot) -> None:
    async with bot.tab() as tab:
        for _ in range(40):
            await tab.say("你好", client_id="same")
        assert (await tab.until("error"))["code"] == "too_many_requests"


async def test_a_socket_that_never_reads_holds_up_nobody(bot: Bot) -> None:
    async with bot.tab() as tab, bot.tab(session=tab.session) as deaf:
        deaf.connection.transport.pause_reading()
        for number in range(5):
            await tab.say("长" * 4000, client_id=f"m{number}")
            await tab.answer()
        deaf.connection.transport.resume_reading()
        await deaf.until("message", seq=10)
        assert deaf.lines == tab.lines


@pytest.mark.full
async def test_many_idle_sockets_cost_nobody_an_answer(bot: Bot) -> None:
    async with asyncio.TaskGroup() as idle:
        enough = asyncio.Event()

        async def sit() -> None:
            async with bot.tab():
                await enough.wait()

        for _ in range(200):
            idle.create_task(sit())
        try:
            async with bot.tab() as tab:
                await said_and_answered(tab)
        finally:
            enough.set()


async def said_and_answered(tab: Tab) -> None:
    async with asyncio.timeout(SOON):
        await tab.say("你好")
        await tab.answer()
