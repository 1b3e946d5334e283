"""``/health``, ``/ready``, ``/metrics``, ``/openapi.json``, and life without Redis or the store."""

import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from adapters.storage.sql import SqlStore
from bot.domain.errors import Unavailable
from bot.domain.ports import OrderSystem
from bot.serve import listening, serving
from tests.doors.bot import KEY, Bot, eventually, running_bot, settings_of
from tests.servers import postgres


async def get(bot: Bot, path: str) -> Any:
    async with bot.http() as http:
        return await http.get(path)


async def test_it_is_up_and_ready(bot: Bot) -> None:
    assert (await get(bot, "/health")).json() == {"status": "ok"}
    ready = await get(bot, "/ready")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "parts": {"store": "ok", "cache": "ok", "orders": "ok"}}


async def test_metrics_count_messages_and_turns(bot: Bot) -> None:
    async with bot.tab() as tab:
        await tab.say("你好")
        await tab.answer()
    metrics = await get(bot, "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    for name in ("shotdesk_messages_total", "shotdesk_turns_total", "shotdesk_turn_seconds_count"):
        assert name in metrics.text


async def test_the_description_has_every_route_and_the_shape_of_every_body(bot: Bot) -> None:
    api = (await get(bot, "/openapi.json")).json()
    routes = {(path, method) for path, methods in api["paths"].items() for method in methods}
    assert routes >= {
        ("/v1/pictures", "post"),
        ("/v1/sessions/{id}/messages", "post"),
        ("/v1/sessions/{id}/messages", "get"),
        ("/health", "get"),
        ("/ready", "get"),
        ("/metrics", "get"),
    }
    picture = api["paths"]["/v1/pictures"]["post"]["requestBody"]["content"]
    assert {"image/*", "multipart/form-data"} <= picture.keys()
    message = api["paths"]["/v1/sessions/{id}/messages"]["post"]
    schema = message["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"].keys() == {"client_id", "text", "attachments", "customer"}
    assert schema["required"] == ["client_id"]
    assert message["security"]
    for methods in api["paths"].values():
        for route in methods.values():
            assert route["summary"]
            assert "4XX" in route["responses"]


class AwayStore(SqlStore):
    async def ping(self) -> None:
        raise Unavailable

    async def view(self, session: object, **page: object) -> Any:
        raise Unavailable


async def test_it_is_not_ready_without_its_store(bot: Bot) -> None:
    settings = settings_of(bot.app.settings.home)
    away = replace(bot.app, store=AwayStore.__new__(AwayStore))
    with listening(settings) as listener:
        async with serving(away, "web", listener) as running:
            lame = Bot(away, running.address)
            ready = await get(lame, "/ready")
            assert ready.status_code == 503
            assert ready.json()["parts"] == {"store": "unavailable", "cache": "ok", "orders": "ok"}
            assert (await get(lame, "/health")).status_code == 200
            async with lame.http(KEY) as http:
                answer = await http.get("/v1/sessions/s/messages")
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
                assert answer.headers["retry-after"]
            async with lame.socket() as tab:
                await tab.send(type="hello", session="s", last_seq=0)
                assert await tab.refused() == "unavailable"


async def test_without_redis_it_is_ready_and_answers(tmp_path: Path) -> None:
    async with running_bot(tmp_path, redis_url=f"unix://{tmp_path}/nowhere.sock") as bot:
        ready = await get(bot, "/ready")
        assert ready.status_code == 200
        assert ready.json()["parts"] == {"store": "ok", "cache": "unavailable", "orders": "ok"}
        async with bot.tab() as tab, bot.tab(session=tab.session) as other:
            await tab.say("你好")
            await tab.answer()
            await other.answer()
            assert tab.lines == other.lines


@pytest.mark.full
async def test_redis_may_be_killed_in_mid_dialogue(bot: Bot) -> None:
    socket = bot.app.settings.home / "valkey" / "valkey.sock"
    async with bot.tab() as tab:
        await tab.say("你好")
        await tab.answer()
        async with Redis.from_url(f"unix://{socket}") as redis:
            pid = int((await redis.info("server"))["process_id"])
        os.kill(pid, signal.SIGKILL)
        await tab.say("还在吗")
        await tab.until("accepted")
        assert (await tab.until("message", **{"from": "bot", "seq": 4}))["text"]
        await tab.say("好的")
        await tab.until("message", seq=6)
        assert [line["seq"] for line in tab.lines] == [1, 2, 3, 4, 5, 6]

    async def cache_is_back() -> bool:
        return bool((await get(bot, "/ready")).json()["parts"]["cache"] == "ok")

    await eventually(cache_is_back)


async def test_a_worker_has_the_doors_of_operations_alone(bot: Bot) -> None:
    settings = settings_of(bot.app.settings.home)
    with listening(settings) as listener:
        async with serving(bot.app, "worker", listener) as running:
            worker = Bot(bot.app, running.address)
            assert (await get(worker, "/ready")).status_code == 200
            assert (await get(worker, "/v1/sessions/s/messages")).status_code == 404


class BrokenOrders:
    async def ping(self) -> None:
        raise ValueError("whatever went wrong")


async def test_what_nobody_foresaw_is_a_clear_error_too(bot: Bot) -> None:
    broken = replace(bot.app, orders=cast(OrderSystem, BrokenOrders()))
    with listening(settings_of(bot.app.settings.home)) as listener:
        async with serving(broken, "web", listener) as running:
            answer = await get(Bot(broken, running.address), "/ready")
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
            assert "whatever" not in answer.text


@pytest.mark.full
async def test_when_the_database_goes_away_nothing_is_accepted_that_could_be_lost(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        async with running_bot(tmp_path, database_url=url) as bot, bot.tab() as tab:
            await tab.say("你好")
            await tab.answer()
            stack.close()
            ready = await get(bot, "/ready")
            assert (ready.status_code, ready.json()["parts"]["store"]) == (503, "unavailable")
            assert (await get(bot, "/health")).status_code == 200
            await tab.say("还在吗", client_id="lost")
            assert await tab.until("error", client_id="lost", code="unavailable")
            async with bot.http(KEY) as http:
                body = {"client_id": "lost", "text": "还在吗"}
                answer = await http.post("/v1/sessions/s/messages", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
