"""What the bots of a campaign run on: real servers, and a small disk of their own where one can be mounted."""

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.database import Database, read_url
from adapters.orders.file import parse
from adapters.storage.embedded import EmbeddedValkey
from bot.app import migrate, opened_orders
from bot.domain.errors import Unavailable
from tests.chaos.bot import Birth, settings_of
from tests.chaos.shop import records
from tests.servers import RedisServer, postgres, redis

DATABASES = ("sqlite", "postgresql")

DISK_MIB = 1024
"""Size of the disk, when nothing fills it: far more than a campaign writes."""

BATCH = 50
"""Customers whose records are loaded at once."""

AGAIN_IN = 0.2
"""Seconds until records that could not be loaded are loaded."""


@dataclass
class Stage:
    """``base`` holds what is not the bots' own; ``template`` is a bot on this stage; ``disk`` is the small
    disk, if it could be mounted; ``server`` the Redis that the driver started: without it, the bots have a Valkey.
    """

    database: str
    base: Path
    template: Birth
    redis_url: str
    store: Database
    orders: Database
    disk: Path | None = None
    server: RedisServer | None = None
    _loaded: int = 0
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def births(self, roles: Sequence[str], seed: int) -> list[Birth]:
        ports = free_ports(len(roles))
        return [
            self.template.placed(slot, role, port, f"{seed}.{slot}")
            for slot, (role, port) in enumerate(zip(roles, ports, strict=True))
        ]

    async def arrived(self, customer: int) -> None:
        """The shop's own system knows its customers before they ask anything."""
        async with self._loading:
            while self._loaded <= customer:
                try:
                    await self._load(range(self._loaded, self._loaded + BATCH))
                    self._loaded += BATCH
                except Unavailable:  # the campaign's doing
                    await asyncio.sleep(AGAIN_IN)

    async def rows(self, statement: str, *, of_orders: bool = False) -> Sequence[Row[Any]]:
        """Raises Unavailable."""
        database = self.orders if of_orders else self.store
        return await database.read(lambda tx: tx.exec_driver_sql(statement).all())

    async def _load(self, customers: range) -> None:
        settings = settings_of(self.template)
        file = parse(json.dumps(records(customers)).encode(), settings.tz)
        async with opened_orders(settings, migrated=False) as orders:
            await orders.load(file)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@asynccontextmanager
async def staged(database: str) -> AsyncIterator[Stage]:
    """SQLite with the embedded Valkey, or PostgreSQL with Redis; thrown away afterwards."""
    async with AsyncExitStack() as stack:
        base = Path(tempfile.mkdtemp(prefix="shotdesk-chaos-"))
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        home = base / "home"
        home.mkdir(mode=0o700)
        server = None
        if database == "postgresql":
            disk = None
            root = stack.enter_context(postgres(durable=True))
            server = stack.enter_context(redis())
            urls = [await _created(root, name) for name in ("bot", "orders")]
            template = Birth(0, "all", 0, str(home), "", server.url, *urls)
            url = server.url
        else:
            disk = stack.enter_context(_mounted(home))
            template = Birth(0, "all", 0, str(home), "")
            url = (await stack.enter_async_context(EmbeddedValkey(home / "valkey"))).url
        settings = settings_of(template)
        await migrate(settings)
        store, orders = Database(settings.database), Database(settings.orders)
        stack.push_async_callback(store.close)
        stack.push_async_callback(orders.close)
        yield Stage(database, base, template, url, store, orders, disk, server)


async def _created(root: str, name: str) -> str:
    engine = create_async_engine(read_url(root), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return root.replace("/postgres?", f"/{name}?")


@contextmanager
def _mounted(place: Path) -> Iterator[Path | None]:
    """A disk in memory; None where this user may not mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "shotdesk", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)
