"""What the bot stands on in a benchmark: databases and Redis of its own, empty, removed at the end."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.app import embedded_valkey, load_classifier, migrate, open_demo_shop
from bot.bench import postgres
from bot.bench.processes import cpu_of
from bot.settings import Settings

DATABASES = SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(frozen=True)
class Setup:
    """``settings`` name the databases and Redis; the demo shop is in the order store."""

    name: str
    settings: Settings
    postmaster: int | None = None
    """PostgreSQL's process, where it is one of this machine's."""

    @property
    def redis_url(self) -> str:
        assert self.settings.redis_url
        return self.settings.redis_url

    @property
    def secret(self) -> str:
        assert self.settings.widget_secret
        return self.settings.widget_secret.get_secret_value()

    def environment(self) -> Mapping[str, str]:
        """The settings as a process of its own reads them."""
        own = {
            "home": str(self.settings.home),
            "redis_url": self.redis_url,
            "widget_secret": self.secret,
            "port": "0",
        }
        urls = {"database_url": self.settings.database_url, "orders_url": self.settings.orders_url}
        own |= {name: url for name, url in urls.items() if url}
        return {f"SHOTDESK_{name.upper()}": value for name, value in own.items()}

    def database_cpu(self) -> float | None:
        """Seconds that PostgreSQL has used; None where it is not ours, or the database is in the bot."""
        return cpu_of(self.postmaster) if self.postmaster else None


@dataclass(frozen=True)
class Ground:
    """What the user's settings give for benchmarks to stand on. ``wanted``: databases by name, none for all."""

    given: Settings
    wanted: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The setups that are wanted and can be had."""
        return tuple(name for name in self.wanted or DATABASES if name != POSTGRESQL or self._has_postgres())

    def missing(self) -> str | None:
        """What is wanted and cannot be had, and how it could be."""
        if POSTGRESQL not in (self.wanted or DATABASES) or self._has_postgres():
            return None
        return "no PostgreSQL: set SHOTDESK_DATABASE_URL, or install the extra 'test'"

    def _has_postgres(self) -> bool:
        return self.given.database_url is not None or postgres.at_hand()

    @asynccontextmanager
    async def setup(self, name: str) -> AsyncIterator[Setup]:
        async with AsyncExitStack() as stack:
            home = stack.enter_context(_home(self.given.home))
            own: dict[str, Any] = {
                "home": home,
                "port": 0,
                "widget_secret": SecretStr(secrets.token_hex(16)),
                "redis_url": None,
                "database_url": None,
                "orders_url": None,
            }
            process = None
            if name == POSTGRESQL:
                own["redis_url"] = self.given.redis_url
                address, process = await self._postgres(stack)
                own["database_url"] = own["orders_url"] = address
            settings = self.given.model_copy(update=own)
            if settings.redis_url is None:
                valkey = await stack.enter_async_context(embedded_valkey(settings))
                settings = settings.model_copy(update={"redis_url": valkey})
            await asyncio.to_thread(
                load_classifier, settings
            )  # trained here if need be, not in what is measured
            await migrate(settings)
            await open_demo_shop(settings, home / "demo")
            yield Setup(name, settings, process)

    async def _postgres(self, stack: AsyncExitStack) -> tuple[str, int | None]:
        if given := self.given.database_url:
            return await stack.enter_async_context(postgres.database(given)), None
        address = stack.enter_context(postgres.server(durable=True))
        return address, postgres.postmaster(address)


@contextmanager
def _home(given: Path) -> Iterator[Path]:
    """A folder for a while. The trained classifier lies in the given home: training it takes long."""
    with tempfile.TemporaryDirectory(prefix="shotdesk-bench-", ignore_cleanup_errors=True) as folder:
        trained = given / "classifier"
        trained.mkdir(parents=True, exist_ok=True)
        (Path(folder) / "classifier").symlink_to(trained)
        yield Path(folder)


class RedisClock:
    """The processor time that Redis has used, as it says itself."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._redis = Redis.from_url(url, decode_responses=True, protocol=2)

    async def seconds(self) -> float:
        used = await self._redis.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    async def name(self) -> str:
        about = await self._redis.info("server")
        if "valkey_version" in about:
            return f"valkey {about['valkey_version']}"
        return f"redis {about['redis_version']}"

    async def close(self) -> None:
        await self._redis.aclose()
