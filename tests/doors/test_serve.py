"""``shotdesk serve`` as processes: together, apart, refusing to start, told to stop."""

import fcntl
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from adapters.storage.embedded import EmbeddedValkey
from bot.app import load_classifier, migrate
from tests.doors.bot import KEY, SECRET, Bot, import_shop, settings_of, signature
from tests.doors.process import Started, refused, started

pytestmark = pytest.mark.full

SETTINGS = {"port": "0", "widget_secret": SECRET, "api_keys": f"another,{KEY}"}


@pytest.fixture(scope="session")
def classifier(request: pytest.FixtureRequest) -> Path:
    """Trained once, and kept from run to run until the examples change."""
    folder = request.config.cache.mkdir("classifier")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "classifier").mkdir(exist_ok=True)
        load_classifier(settings_of(folder))
    return folder / "classifier"


@pytest.fixture
async def home(tmp_path: Path, classifier: Path) -> Path:
    """With databases that are up to date, and a shop."""
    settings = settings_of(tmp_path)
    await migrate(settings)
    await import_shop(settings)
    (tmp_path / "classifier").symlink_to(classifier)
    return tmp_path


@asynccontextmanager
async def serving(home: Path, role: str, **settings: str) -> AsyncIterator[tuple[Started, str]]:
    async with started(home, "serve", "--role", role, **SETTINGS, **settings) as run:
        yield run, (await run.event("serve.ready"))["address"]


def at(address: str) -> Bot:
    return Bot(None, address)  # type: ignore[arg-type]  # only its doors are used


async def test_web_accepts_and_worker_answers(home: Path) -> None:
    private = "请叫我王小明，电话13912345678，为什么扣我钱"
    async with serving(home, "web") as (web, door):
        async with at(door).tab(**signature("C1")) as tab:
            await tab.say(private)
            await tab.until("message", seq=1)
            async with serving(home, "worker") as (worker, back):
                assert (await tab.answer())["seq"] == 2
                async with at(back).http(KEY) as http:
                    assert (await http.get("/ready")).status_code == 200
                    assert (await http.get(f"/v1/sessions/{tab.session}/messages")).status_code == 404
                assert await worker.terminate() == 0
            await tab.say("谢谢", client_id="later")
            await tab.until("accepted", seq=3)
            picture = await at(door).upload()
        assert await web.terminate() == 0
    said = "".join(web.errors + worker.errors)
    assert "serve.stopped" in said
    for secret in (private, "王小明", "13912345678", "谢谢", picture, "张伟", KEY, SECRET):
        assert secret not in said


async def test_all_in_one_stops_cleanly_with_a_customer_in_mid_sentence(home: Path) -> None:
    async with serving(home, "all") as (run, address), at(address).tab(**signature("C1")) as tab:
        await tab.say("为什么扣我钱")
        await tab.answer()
        assert await run.terminate() == 0
        with pytest.raises(ConnectionClosed) as closed:
            await tab.next()
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1012, "try again: the service restarts"
    assert EmbeddedValkey(home / "valkey")._answers() is False
    async with (
        serving(home, "all") as (_, address),
        at(address).tab(session=tab.session, **signature("C1")) as again,
    ):
        await again.until("message", seq=2)
        assert again.lines == tab.lines


async def test_it_refuses_databases_that_are_missing_or_old(tmp_path: Path) -> None:
    assert "shotdesk migrate" in await refused(tmp_path, "serve", **SETTINGS)
    await migrate(settings_of(tmp_path))
    with closing(sqlite3.connect(tmp_path / "shotdesk.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
        database.commit()
    assert "shotdesk migrate" in await refused(tmp_path, "serve", **SETTINGS)


async def test_it_names_what_it_does_not_understand(tmp_path: Path) -> None:
    for name, value, said in [
        ("databse_url", "sqlite:///x", "SHOTDESK_DATABSE_URL"),
        ("databse_url", "sqlite:///x", "SHOTDESK_DATABASE_URL"),
        ("port", "70000", "SHOTDESK_PORT"),
        ("tz", "Mars/Olympus", "SHOTDESK_TZ"),
        ("log_level", "LOUD", "SHOTDESK_LOG_LEVEL"),
        ("database_url", "mysql://x", "sqlite:///"),
        ("host", "no.such.host.invalid", "no.such.host.invalid"),
    ]:
        assert said in await refused(tmp_path, "serve", **{name: value})


async def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in (("serve",), ("demo", "--port", port)):
            line = await refused(tmp_path, *command, port=port)
            assert f"cannot listen on 127.0.0.1:{port}" in line
            assert "another port" in line


async def test_the_demo_plays_its_conversation_on_the_port_that_it_is_given(
    tmp_path: Path, classifier: Path
) -> None:
    (tmp_path / "classifier").symlink_to(classifier)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with started(tmp_path, "demo", "--port", str(port)) as demo:
        assert "识图客服" in await demo.until("识图客服")
        assert f"http://127.0.0.1:{port}" in await demo.until("Shotdesk is up")
        await demo.until("/openapi.json")
        async with at(f"http://127.0.0.1:{port}").http() as http:
            assert (await http.get("/ready")).status_code == 200
        assert await demo.terminate() == 0
