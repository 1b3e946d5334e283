"""The embedded Valkey among several users, some of whom die."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from redis.asyncio import Redis

from adapters.storage.embedded import EmbeddedValkey
from bot.domain.errors import Unavailable

USER = """
import asyncio, sys
from pathlib import Path
from adapters.storage.embedded import EmbeddedValkey

async def main():
    async with EmbeddedValkey(Path(sys.argv[1])) as valkey:
        print(valkey.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def user_of(folder: Path) -> Process:
    """Another process that uses the folder's server until its standard input is closed."""
    user = await asyncio.create_subprocess_exec(
        sys.executable, "-c", USER, str(folder), stdin=PIPE, stdout=PIPE
    )
    assert user.stdout is not None
    assert await user.stdout.readline()
    return user


async def leave(user: Process) -> None:
    assert user.stdin is not None
    user.stdin.close()
    assert await user.wait() == 0


async def pid_of(url: str) -> int:
    async with Redis.from_url(url) as redis:
        return int((await redis.info("server"))["process_id"])


async def runs(url: str) -> bool:
    try:
        return await pid_of(url) > 0
    except OSError:
        return False
    except Exception as error:  # redis-py's own, of no common name with OSError
        assert "connect" in str(error).lower()  # noqa: PT017
        return False


async def next_pid_of(url: str) -> int:
    for _ in range(1000):
        if await runs(url):
            return await pid_of(url)
        await asyncio.sleep(0.02)
    raise AssertionError("it was not started again")


async def test_all_users_share_one_server_and_the_last_one_stops_it(tmp_path: Path) -> None:
    users = await asyncio.gather(*(user_of(tmp_path) for _ in range(3)))
    async with EmbeddedValkey(tmp_path) as valkey:
        pid = await pid_of(valkey.url)
        for user in users:
            await leave(user)
        assert await pid_of(valkey.url) == pid
    assert not await runs(valkey.url)


async def test_a_server_whose_users_were_killed_is_adopted(tmp_path: Path) -> None:
    user = await user_of(tmp_path)
    url = EmbeddedValkey(tmp_path).url
    pid = await pid_of(url)
    user.send_signal(signal.SIGKILL)
    await user.wait()
    async with EmbeddedValkey(tmp_path) as valkey:
        assert await pid_of(valkey.url) == pid
    assert not await runs(url)


async def test_a_server_that_dies_is_started_again_with_its_data(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as first, EmbeddedValkey(tmp_path) as second:
        async with Redis.from_url(first.url) as redis:
            await redis.set("key", "value")
        watching = [asyncio.create_task(valkey.watch()) for valkey in (first, second)]
        for _ in range(2):
            before = await pid_of(first.url)
            os.kill(before, signal.SIGKILL)
            assert await next_pid_of(second.url) != before
        async with Redis.from_url(second.url) as redis:
            assert await redis.get("key") == b"value"
        for watch in watching:
            watch.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def test_a_folder_with_a_long_name_will_do(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path / ("long" * 30)) as valkey:
        assert len(valkey.url) < 110
        assert await runs(valkey.url)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("in the way")
    with pytest.raises(Unavailable, match="did not start"):
        async with EmbeddedValkey(tmp_path):
            pass
