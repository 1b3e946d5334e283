"""Databases that hang: reached, open, and silent."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.database import read_url

_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@asynccontextmanager
async def stopped_writer(file: Path) -> AsyncIterator[None]:
    """Another process has the lock of an SQLite file, and is stopped."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(file), stdin=PIPE, stdout=PIPE
    )
    assert writer.stdin
    assert writer.stdout
    await writer.stdout.readline()
    writer.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        writer.send_signal(signal.SIGCONT)
        writer.stdin.close()
        await writer.wait()


@asynccontextmanager
async def locked_session(url: str, session: str) -> AsyncIterator[None]:
    """Another transaction holds the row of a session in PostgreSQL."""
    engine = create_async_engine(read_url(url))
    async with engine.begin() as tx:
        await tx.execute(text("SELECT 1 FROM sessions WHERE id = :id FOR UPDATE"), {"id": session})
        yield
    await engine.dispose()


@asynccontextmanager
async def stopped_backends(url: str) -> AsyncIterator[None]:
    """Every backend of PostgreSQL that serves the bot is stopped, again and again as new ones come."""
    engine = create_async_engine(read_url(url))
    ours = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'shotdesk'")
    stopped: set[int] = set()
    async with engine.connect() as connection:

        async def stop() -> None:
            for pid in (await connection.execute(ours)).scalars():
                os.kill(pid, signal.SIGSTOP)
                stopped.add(pid)
            await connection.rollback()

        async def keep_on() -> None:
            while True:
                await stop()
                await asyncio.sleep(0.005)

        await stop()
        stopping = asyncio.create_task(keep_on())
        try:
            yield
        finally:
            stopping.cancel()
            await asyncio.wait({stopping})
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
    await engine.dispose()
