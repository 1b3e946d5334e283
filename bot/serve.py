"""``shotdesk serve``: doors and workers, together or apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
import uvicorn

from bot.app import App, check_databases, open_app
from bot.domain.errors import Unavailable
from bot.doors.api import create_api
from bot.doors.widget import FRAME_LIMIT
from bot.settings import Settings

log = structlog.get_logger()

GRACE = 10
"""Seconds that open requests and turns under way have when the server is told to stop."""


async def run_server(role: str) -> None:
    """Until it is told to stop. Raises BadSettings, Unavailable."""
    settings = Settings.from_env()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    await check_databases(settings)
    async with open_app(settings) as app:
        await say_complaints(app)
        async with serving(app, role) as stopped:
            log.info("serve.ready", role=role, host=settings.host, port=settings.port)
            await stopped


@asynccontextmanager
async def serving(app: App, role: str) -> AsyncIterator[asyncio.Task[None]]:
    """Runs what belongs to a role; yields, once it listens, the task that ends when the server is stopped."""
    api = create_api(app, doors=role != "worker")
    server = uvicorn.Server(
        uvicorn.Config(
            api,
            host=app.settings.host,
            port=app.settings.port,
            ws="websockets-sansio",
            ws_max_size=FRAME_LIMIT,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE,
        )
    )
    async with AsyncExitStack() as stack:
        if role != "web":
            await stack.enter_async_context(app.workers.running())
        stopped = asyncio.create_task(server.serve())
        try:
            await _listening(server, stopped, app)
            yield stopped
        finally:
            server.should_exit = True
            await asyncio.gather(stopped, return_exceptions=True)


async def _listening(server: uvicorn.Server, stopped: asyncio.Task[None], app: App) -> None:
    """Raises Unavailable where the port is taken."""
    while not server.started:
        await asyncio.wait({stopped}, timeout=0.02)
        if stopped.done():
            where = f"{app.settings.host}:{app.settings.port}"
            raise Unavailable(f"cannot listen on {where}: another program may have it; choose another port")


async def say_complaints(app: App) -> None:
    """Says which settings of the servers behind could lose messages."""
    for complaint in [*await app.store.complaints(), *await app.cache.complaints()]:
        log.warning("serve.could_lose_messages", complaint=complaint)
