"""``/v1/sessions/{id}/messages``, as a shop's server uses it."""

import asyncio
import json
import secrets
import shutil
from typing import Any

import httpx
import pytest

from tests.doors.bot import KEY, SOON, Bot, signature


@pytest.fixture
def session() -> str:
    return f"api-{secrets.token_hex(8)}"


def path(session: str) -> str:
    return f"/v1/sessions/{session}/messages"


async def post(bot: Bot, session: str, **message: Any) -> httpx.Response:
    async with bot.http(KEY) as http:
        return await http.post(path(session), json={"client_id": secrets.token_hex(8)} | message)


async def log_of(bot: Bot, session: str, lines: int, **params: Any) -> list[dict[str, Any]]:
    """The session's log, once it has that many lines."""
    async with bot.http(KEY) as http, asyncio.timeout(SOON):
        while True:
            answer = await http.get(path(session), params=params)
            assert answer.status_code == 200, answer.text
            log: list[dict[str, Any]] = answer.json()
            if len(log) >= lines:
                return log
            await asyncio.sleep(0.02)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["code"]


async def test_a_message_is_accepted_and_its_answer_comes_into_the_log(bot: Bot, session: str) -> None:
    answer = await post(bot, session, client_id="m1", text="你好")
    assert answer.status_code == 202
    assert answer.json() == {"session": session, "seq": 1, "customer": None, "duplicate": False}
    log = await log_of(bot, session, 2)
    assert [(line["seq"], line["from"], line["client_id"]) for line in log] == [
        (1, "customer", "m1"),
        (2, "bot", None),
    ]
    assert [line["seq"] for line in await log_of(bot, session, 1, after=1)] == [2]
    assert [line["seq"] for line in await log_of(bot, session, 1, limit=1)] == [1]


async def test_the_same_message_again_is_one(bot: Bot, session: str) -> None:
    answers = await asyncio.gather(*(post(bot, session, client_id="same", text="你好") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["seq"] for answer in answers} == {1}
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 11
    await log_of(bot, session, 2)
    other = await post(bot, session, client_id="same", text="别的话")
    assert other.json()["duplicate"]
    await post(bot, session, client_id="last", text="完了")
    log = await log_of(bot, session, 4)
    assert [line["text"] for line in log if line["from"] == "customer"] == ["你好", "完了"]


async def test_only_the_right_key_opens(bot: Bot, session: str) -> None:
    wrong = ["", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer é"]
    async with bot.http() as http:
        for header in [None, *wrong]:
            headers = {"authorization": header.encode()} if header is not None else {}
            for answer in (
                await http.post(path(session), json={"client_id": "a", "text": "你好"}, headers=headers),
                await http.get(path(session), headers=headers),
            ):
                assert code_of(answer) == (401, "unauthorized")
    assert await bot.app.store.customer_of(session) == (False, None)  # type: ignore[arg-type]
    async with bot.http() as http:
        headers = {"authorization": f"bearer {KEY}"}
        assert (await http.get(path(session), headers=headers)).status_code == 404


BAD = {
    "broken": (b'{"client_id": "a"', 400, "bad_request"),
    "empty": (b"", 400, "bad_request"),
    "a list": (b"[]", 400, "bad_request"),
    "deep": (b"[" * 10_000, 400, "bad_request"),
    "deep in a field": (b'{"client_id": "a", "text": ' + b'{"a":' * 10_000, 400, "bad_request"),
    "NaN": (b'{"client_id": "a", "text": NaN}', 400, "bad_request"),
    "huge number": (b'{"client_id": "a", "text": 1' + b"0" * 5000 + b"}", 400, "bad_request"),
    "unknown field": (b'{"client_id": "a", "text": "x", "role": "system"}', 400, "bad_request"),
    "no id": (b'{"text": "x"}', 400, "bad_request"),
    "id too long": (json.dumps({"client_id": "a" * 121, "text": "x"}).encode(), 400, "bad_request"),
    "NUL in the id": (b'{"client_id": "a\\u0000", "text": "x"}', 400, "bad_request"),
    "empty customer": (b'{"client_id": "a", "text": "x", "customer": ""}', 400, "bad_request"),
    "NUL in the customer": (b'{"client_id": "a", "text": "x", "customer": "C\\u0000"}', 400, "bad_request"),
    "customer too long": (
        json.dumps({"client_id": "a", "customer": "C" * 9999}).encode(),
        400,
        "bad_request",
    ),
    "nothing said": (b'{"client_id": "a"}', 400, "bad_text"),
    "not UTF-8": (b'{"client_id": "a", "text": "\xff\xfe"}', 400, "bad_text"),
    "lone surrogate": (b'{"client_id": "a", "text": "\\ud83d"}', 400, "bad_text"),
    "NUL": (b'{"client_id": "a", "text": "\\u0000"}', 400, "bad_text"),
    "too long": (json.dumps({"client_id": "a", "text": "长" * 4001}).encode(), 413, "text_too_long"),
    "1 MiB": (json.dumps({"client_id": "a", "text": "a" * 2**20}).encode(), 413, "text_too_long"),
    "20 MiB": (json.dumps({"client_id": "a", "text": "a" * 20 * 2**20}).encode(), 413, "text_too_long"),
    "unknown picture": (b'{"client_id": "a", "attachments": ["nowhere"]}', 404, "not_found"),
    "a path": (b'{"client_id": "a", "attachments": ["../../etc/passwd"]}', 404, "not_found"),
    "10 pictures": (json.dumps({"client_id": "a", "attachments": ["p"] * 10}).encode(), 400, "bad_request"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_message_gets_a_clear_error_and_nothing_is_kept(
    bot: Bot, session: str, name: str
) -> None:
    body, status, code = BAD[name]
    async with bot.http(KEY) as http:
        answer = await http.post(path(session), content=body)
    assert code_of(answer) == (status, code)
    assert len(answer.text) < 1000
    assert await bot.app.store.customer_of(session) == (False, None)  # type: ignore[arg-type]


async def test_of_a_key_that_is_given_twice_the_last_counts(bot: Bot, session: str) -> None:
    async with bot.http(KEY) as http:
        body = b'{"client_id": "a", "text": "x", "client_id": "b", "text": "y"}'
        assert (await http.post(path(session), content=body)).status_code == 202
    (line, *_) = await log_of(bot, session, 1)
    assert (line["client_id"], line["text"]) == ("b", "y")


@pytest.mark.parametrize("session", ["a%20b", "x" * 121, "%00", "a%0Ab", "%F0%9F%98%80", "%FF", "a;b", "'--"])
async def test_a_bad_session_name_gets_a_clear_error(bot: Bot, session: str) -> None:
    async with bot.http(KEY) as http:
        for answer in (
            await http.post(path(session), json={"client_id": "a", "text": "x"}),
            await http.get(path(session)),
        ):
            assert code_of(answer) == (400, "bad_request")


@pytest.mark.parametrize(
    "params", [{"after": -1}, {"after": 10**30}, {"after": "x"}, {"limit": 0}, {"limit": 201}]
)
async def test_bad_parameters_get_a_clear_error(bot: Bot, session: str, params: dict[str, Any]) -> None:
    async with bot.http(KEY) as http:
        assert code_of(await http.get(path(session), params=params)) == (400, "bad_request")


async def test_other_methods_and_places_get_a_clear_error(bot: Bot) -> None:
    async with bot.http(KEY) as http:
        assert code_of(await http.delete(path("s"))) == (405, "bad_request")
        assert code_of(await http.get("/v1/sessions/a/b/messages")) == (404, "not_found")
        assert code_of(await http.get("/../../etc/passwd")) == (404, "not_found")


async def test_a_session_belongs_to_the_customer_that_the_server_vouches_for(bot: Bot, session: str) -> None:
    first = await post(bot, session, text="为什么扣我钱")
    assert first.json()["customer"] is None
    assert "黄金会员" not in (await log_of(bot, session, 2))[1]["text"]
    verified = await post(bot, session, text="为什么扣我钱", customer="C1")
    assert verified.json()["customer"] == "C1"
    assert "黄金会员" in (await log_of(bot, session, 4))[3]["text"]
    later = await post(bot, session, text="你好")
    assert later.json()["customer"] == "C1"
    await log_of(bot, session, 6)
    other = await post(bot, session, text="为什么扣我钱", customer="C2")
    assert code_of(other) == (403, "session_of_another_customer")
    assert len(await log_of(bot, session, 6)) == 6


async def test_an_unknown_customer_is_answered_as_a_visitor(bot: Bot, session: str) -> None:
    assert (await post(bot, session, text="为什么扣我钱", customer="nobody")).status_code == 202
    assert "黄金会员" not in (await log_of(bot, session, 2))[1]["text"]


async def test_the_widget_and_the_server_share_a_session(bot: Bot) -> None:
    async with bot.tab(**signature("C1")) as tab:
        await tab.say("你好")
        await tab.answer()
        answer = await post(bot, tab.session, client_id="from-server", text="为什么扣我钱")
        assert answer.json() == {"session": tab.session, "seq": 3, "customer": "C1", "duplicate": False}
        await tab.until("message", seq=4)
        log = await log_of(bot, tab.session, 4)
        assert tab.lines == [{"type": "message", **line} for line in log]


async def test_a_picture_goes_with_a_message(bot: Bot, session: str) -> None:
    picture = await bot.upload()
    await post(bot, session, text="为什么扣我钱", attachments=[picture], customer="C1")
    log = await log_of(bot, session, 2)
    assert log[0]["attachments"] == [picture]
    assert "88.00" in log[1]["text"]


async def test_a_message_whose_picture_is_gone_since_can_be_sent_again(bot: Bot, session: str) -> None:
    """Its answer got lost, and of its picture nothing could be kept."""
    picture, id = await bot.upload(), "once"
    first = await post(bot, session, text="为什么扣我钱", attachments=[picture], customer="C1", client_id=id)
    await log_of(bot, session, 2)
    await asyncio.to_thread(shutil.rmtree, bot.app.settings.home / "media" / "masked")
    again = await post(bot, session, text="为什么扣我钱", attachments=[picture], customer="C1", client_id=id)
    assert (again.status_code, again.json()) == (202, first.json() | {"duplicate": True})
