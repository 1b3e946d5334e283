"""``shotdesk bench sockets``: what idle sockets cost, and whether a message still comes through meanwhile."""

import asyncio
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from bot.bench.clients import MEASURED, Measured, Plan
from bot.bench.figures import Aim, Figure, Line, Reference, Remark, Unit, percentile, progress
from bot.bench.idle import Held
from bot.bench.processes import Child, child, cpu_of, require_proc, rss_of
from bot.bench.setups import SQLITE, Ground, Setup

NAME = "sockets"
QUIET = "no idle sockets"

A_PROCESS = 2500
SPARE = 500
"""Files that a server opens beside its sockets."""

A_SESSION = 20
OPENED_WITHIN = 900.0
"""Seconds for all of them."""

MEMORY = Aim(1024)
"""Of all the sockets that the contract of 10,000 is about."""


@dataclass(frozen=True, slots=True)
class Size:
    """``turns`` that are asked without and with the idle sockets; ``seconds`` over which idling is watched."""

    sockets: int = 10_000
    turns: int = 200
    seconds: float = 10.0


async def bench_sockets(ground: Ground, size: Size) -> AsyncIterator[Line]:
    """On SQLite: sockets that say nothing do not touch the database. Raises Unavailable."""
    require_proc()
    allowed = _raised(size.sockets + SPARE) - SPARE
    if allowed < size.sockets:
        yield Remark(
            NAME, f"the limit of open files (ulimit -Hn) allows {allowed} sockets, not {size.sockets}"
        )
        size = replace(size, sockets=allowed)
    async with ground.setup(SQLITE) as setup:
        async for line in _bench(setup, size):
            yield line


def _raised(wanted: int) -> int:
    """How many files a process may open, after asking for as many as are wanted. Children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted > hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    elif wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def _bench(setup: Setup, size: Size) -> AsyncIterator[Line]:
    async with AsyncExitStack() as stack:
        bot = await stack.enter_async_context(child("bot.bench.bot", setup.environment()))
        clients = await stack.enter_async_context(child("bot.bench.clients"))
        address = (await bot.hear())["address"]
        await _ask(clients, setup, address, size.turns)  # warms up
        quiet = await _ask(clients, setup, address, size.turns)
        before = rss_of(bot.pid)
        loop = asyncio.get_running_loop()
        began = loop.time()
        progress(f"opening {size.sockets:,} sockets")
        idle = await _opened(stack, setup, address, size.sockets)
        heard = [await each.hear(OPENED_WITHIN) for each in idle]
        opened, seconds = sum(each["open"] for each in heard), loop.time() - began
        for error in {each["first_error"] for each in heard if each["first_error"]}:
            yield Remark(NAME, f"some sockets did not open: {error}")
        grown = rss_of(bot.pid) - before
        yield _figure("open", opened, "")
        yield _figure("opened", opened / seconds, "1/s")
        yield _figure("memory a socket", grown / opened / 1024, "KiB")
        yield _figure("memory of the bot in all", rss_of(bot.pid) / 2**20, "MiB", aim=MEMORY)
        used = cpu_of(bot.pid)
        await asyncio.sleep(size.seconds)
        yield _figure(
            "processor time a second of idling", 1000 * (cpu_of(bot.pid) - used) / size.seconds, "ms"
        )
        busy = await _ask(clients, setup, address, size.turns)
        for share in (0.5, 0.95):
            mine, theirs = (percentile(each.latencies, share) for each in (busy, quiet))
            yield _figure(f"a turn meanwhile, p{share:.0%}".rstrip("%"), mine, "ms", Reference(QUIET, theirs))
        still = sum([(await each.ask({}))["open"] for each in idle])
        if still < opened or busy.failed:
            yield Remark(NAME, f"{opened - still} idle sockets were lost, {busy.failed} turns not answered")


async def _opened(stack: AsyncExitStack, setup: Setup, address: str, sockets: int) -> Sequence[Child]:
    """Processes that are opening the sockets, each from an address of its own."""
    idle = []
    for number, first in enumerate(range(0, sockets, A_PROCESS)):
        held = Held(
            address=address,
            sockets=min(A_PROCESS, sockets - first),
            source=f"127.0.0.{number + 2}",
            secret=setup.secret,
        )
        idle.append(await stack.enter_async_context(child("bot.bench.idle")))
        await idle[-1].say(held.model_dump())
    return idle


async def _ask(clients: Child, setup: Setup, address: str, turns: int) -> Measured:
    plan = Plan(address=address, kind="bot", clients=1, turns=turns, a_session=A_SESSION, secret=setup.secret)
    await clients.ask(plan.model_dump())
    return MEASURED.validate_python(await clients.ask({}))


def _figure(
    what: str, value: float, unit: Unit, reference: Reference | None = None, aim: Aim | None = None
) -> Figure:
    return Figure(NAME, SQLITE, what, value, unit, reference, aim)
