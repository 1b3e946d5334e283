"""``shotdesk serve``: doors and workers, together or apart."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
import uvicorn

from bot.app import App, check_databases, open_app
from bot.domain.errors import Unavailable
from bot.doors.api import create_api
from bot.doors.widget import FRAME_LIMIT
from bot.settings import Settings

log = structlog.get_logger()


async def run_server(role: str) -> None:
    """Until it is told to stop. Raises BadSettings, Unavailable."""
    settings = Settings.from_env()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ended_by_sigterm(), listening(settings) as listener:
        await check_databases(settings)
        async with open_app(settings, warm=role != "web") as app:
            await say_complaints(app)
            async with serving(app, role, listener) as running:
                log.info("serve.ready", role=role, address=running.address)
                await running.end()
    log.info("serve.stopped", role=role)


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Takes the port, before anything slow begins. Raises Unavailable where it cannot be had."""
    where = f"{settings.host}:{settings.port}"
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        raise Unavailable(f"cannot listen on {where} ({error.strerror}); choose another port") from None
    with listener:
        yield listener


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens at ``address``."""

    address: str
    _served: asyncio.Task[None]

    async def end(self) -> None:
        """Waits until the server has ended. Giving up waiting does not end it."""
        await asyncio.wait({self._served})
        self._served.result()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: uvicorn's way ends the process before the bot is closed."""
        yield


@asynccontextmanager
async def serving(app: App, role: str, listener: socket.socket) -> AsyncIterator[Running]:
    """Runs what belongs to a role for as long as the block lasts."""
    server = _Server(
        uvicorn.Config(
            create_api(app, doors=role != "worker"),
            ws="websockets-sansio",
            ws_max_size=FRAME_LIMIT,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=round(app.pace.grace.total_seconds()),
        )
    )
    async with AsyncExitStack() as stack:
        if role != "web":
            await stack.enter_async_context(app.workers.running())
        host, port = listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        served = asyncio.create_task(server.serve([listener]))
        try:
            await _started(server, served)
            yield Running(f"http://{host}:{port}", served)
        finally:
            server.should_exit = True
            await asyncio.gather(served, return_exceptions=True)


async def _started(server: uvicorn.Server, served: asyncio.Task[None]) -> None:
    while not server.started:
        await asyncio.wait({served}, timeout=0.01)
        if served.done():
            served.result()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM leaves the block, and closes on the way what was opened in it."""
    task, told = asyncio.current_task(), asyncio.Event()

    def leave() -> None:
        if task and not told.is_set():
            told.set()
            task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, leave)
    try:
        yield
    except asyncio.CancelledError:
        if task is None or not told.is_set():
            raise
        task.uncancel()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def say_complaints(app: App) -> None:
    """Says which settings of the servers behind could lose messages."""
    for complaint in [*await app.store.complaints(), *await app.cache.complaints()]:
        log.warning("serve.could_lose_messages", complaint=complaint)
