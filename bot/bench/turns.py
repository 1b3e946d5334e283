"""``shotdesk bench turns``: text turns through the real server, beside the bare floor."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bot.bench.clients import MEASURED, Measured, Plan
from bot.bench.figures import Aim, Figure, Line, Reference, Remark, Unit, percentile, progress
from bot.bench.processes import Child, child, cpu_of, require_proc, rss_of
from bot.bench.setups import Ground, RedisClock, Setup

NAME = "turns"
FLOOR = "floor"

CLIENTS = (1, 8, 32)

A_SESSION = 20
"""Questions in one session: fewer than a customer may ask in ten seconds."""

WARMING = 160
"""Turns."""

MEMORY = Aim(200)
PROCESSOR = Aim(5)
RATE = Aim(0.6, "ratio", at_least=True)


@dataclass(frozen=True, slots=True)
class Size:
    """``turns`` of the bot and of the floor each time, for each number of clients; ``rounds`` of it all."""

    rounds: int = 3
    turns: int = 600
    floor: int = 3000


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor time."""

    process: float
    redis: float
    database: float | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One measurement, and what it cost."""

    measured: Measured
    spent: Spent


async def bench_turns(ground: Ground, size: Size) -> AsyncIterator[Line]:
    """Raises Unavailable."""
    require_proc()
    for name in ground.names():
        async with ground.setup(name) as setup:
            async for line in _bench(setup, size):
                yield line
    if missing := ground.missing():
        yield Remark(NAME, missing)


async def _bench(setup: Setup, size: Size) -> AsyncIterator[Line]:
    async with AsyncExitStack() as stack:
        redis = RedisClock(setup.redis_url)
        stack.push_async_callback(redis.close)
        named = f"{setup.name}, {await redis.name()}"
        bot = await stack.enter_async_context(child("bot.bench.bot", setup.environment()))
        floor = await stack.enter_async_context(
            child("bot.bench.floor", {"BENCH_REDIS_URL": setup.redis_url})
        )
        clients = await stack.enter_async_context(child("bot.bench.clients"))
        track = Track(setup, bot, floor, clients, redis, [(await c.hear())["address"] for c in (bot, floor)])
        yield Figure(NAME, named, "memory after the start", rss_of(bot.pid) / 2**20, "MiB", None, MEMORY)
        await track.warm_up()
        ran: dict[tuple[str, int], list[Segment]] = {}
        for round in range(size.rounds):
            for number in CLIENTS:
                progress(f"{named}: round {round + 1} of {size.rounds}, {number} clients")
                for kind, turns in (("bot", size.turns), (FLOOR, size.floor)):
                    ran.setdefault((kind, number), []).append(await track.run(kind, number, turns, round))
        for number in CLIENTS:
            for figure in _figures(named, number, ran["bot", number], ran[FLOOR, number]):
                yield figure
        yield Figure(NAME, named, "memory after the turns", rss_of(bot.pid) / 2**20, "MiB", None, MEMORY)
        failed = sum(segment.measured.failed for segments in ran.values() for segment in segments)
        if failed:
            yield Remark(NAME, f"{named}: {failed} turns were not answered")


class Track:
    """The bot and the floor side by side, and clients that speak to one at a time."""

    def __init__(
        self,
        setup: Setup,
        bot: Child,
        floor: Child,
        clients: Child,
        redis: RedisClock,
        addresses: Sequence[str],
    ) -> None:
        self._setup, self._clients, self._redis = setup, clients, redis
        self._running = {"bot": bot, FLOOR: floor}
        self._addresses = dict(zip(("bot", FLOOR), addresses, strict=True))

    async def warm_up(self) -> None:
        """Every connection that there will be is opened once."""
        for kind in ("bot", FLOOR):
            await self.run(kind, max(CLIENTS), WARMING, seed=0)

    async def run(self, kind: str, clients: int, turns: int, seed: int) -> Segment:
        plan = Plan.model_validate(
            {
                "address": self._addresses[kind],
                "kind": kind,
                "clients": clients,
                "turns": turns,
                "a_session": A_SESSION if kind == "bot" else turns,
                "secret": self._setup.secret,
                "seed": seed * 1000,
            }
        )
        await self._clients.ask(plan.model_dump())
        before = await self._spent(kind)
        measured = MEASURED.validate_python(await self._clients.ask({}))
        after = await self._spent(kind)
        spent = Spent(
            after.process - before.process,
            after.redis - before.redis,
            None if after.database is None or before.database is None else after.database - before.database,
        )
        return Segment(measured, spent)

    async def _spent(self, kind: str) -> Spent:
        process = cpu_of(self._running[kind].pid)
        return Spent(process, await self._redis.seconds(), self._setup.database_cpu())


def _figures(setup: str, clients: int, bot: Sequence[Segment], floor: Sequence[Segment]) -> list[Figure]:
    def figure(what: str, mine: float, theirs: float, unit: Unit, aim: Aim | None = None) -> Figure:
        plural = "s" if clients > 1 else ""
        reference = Reference(FLOOR, theirs)
        return Figure(NAME, setup, f"{what}, {clients} client{plural}", mine, unit, reference, aim)

    if not _latencies(bot) or not _latencies(floor):
        return []
    if clients == 1:
        figures = [
            figure(f"p{share:.0%}".rstrip("%"), _percentile(bot, share), _percentile(floor, share), "ms")
            for share in (0.5, 0.95, 0.99)
        ]
    else:
        figures = [
            figure("rate", _rate(bot), _rate(floor), "1/s", RATE),
            figure("p95", _percentile(bot, 0.95), _percentile(floor, 0.95), "ms"),
        ]
    figures.append(figure("processor time a turn", _processor(bot), _processor(floor), "ms", PROCESSOR))
    figures.append(figure("of Redis", _redis(bot), _redis(floor), "ms"))
    database = [each.spent.database for each in bot if each.spent.database is not None]
    if database:
        what = f"of PostgreSQL, {clients} client{'s' if clients > 1 else ''}"
        figures.append(Figure(NAME, setup, what, _per_turn(bot, database), "ms"))
    return figures


def _latencies(segments: Sequence[Segment]) -> list[float]:
    return [latency for segment in segments for latency in segment.measured.latencies]


def _percentile(segments: Sequence[Segment], share: float) -> float:
    return percentile(_latencies(segments), share)


def _rate(segments: Sequence[Segment]) -> float:
    return len(_latencies(segments)) / sum(segment.measured.seconds for segment in segments)


def _processor(segments: Sequence[Segment]) -> float:
    return _per_turn(segments, [segment.spent.process for segment in segments])


def _redis(segments: Sequence[Segment]) -> float:
    return _per_turn(segments, [segment.spent.redis for segment in segments])


def _per_turn(segments: Sequence[Segment], seconds: Sequence[float]) -> float:
    return 1000 * sum(seconds) / len(_latencies(segments))
