"""The random campaign: whatever can die, stop, be cut, be wiped, be full or be wrong does so, under load."""

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.domain.errors import Unavailable
from tests.chaos.campaign import Campaign, Outcome, Progress, concluded, opened
from tests.chaos.failpoints import Board
from tests.chaos.nursery import Slot, Struck
from tests.chaos.recovery import Recovery

BOTS = ("web", "web", "worker", "worker")
SESSIONS = 36

CHANCE = 0.001
"""With which something happens at any failpoint."""

AWAY = (0.0, 1.0)
"""Seconds for which a Redis that was killed stays away."""

FULL_FOR = (0.2, 1.0)
"""Seconds for which the disk is full."""

JUMPS = 6 * 3600.0
"""Seconds by which a clock is wrong at most."""

IDLE = 0.5
"""Seconds after which the next fault comes though nobody got an answer since the last."""

HEAVY = {"kill web", "kill worker", "stop web", "stop worker", "pause web", "pause worker"}
"""What takes a bot away: only while not more than one is away already, so that somebody is there to be hit."""


@dataclass
class Faults:
    """Each method is a fault; it returns whether there was something to hit."""

    campaign: Campaign
    random: Random
    recovery: Recovery = field(default_factory=Recovery)

    @property
    def kinds(self) -> Mapping[str, tuple[int, Callable[[], Awaitable[bool]]]]:
        """How often each comes, beside the others."""
        stage = self.campaign.stage
        kinds: dict[str, tuple[int, Callable[[], Awaitable[bool]]]] = {
            "kill web": (10, lambda: self._signal("web", signal.SIGKILL)),
            "kill worker": (10, self.kill_worker),
            "pause web": (3, lambda: self._signal("web", signal.SIGSTOP)),
            "pause worker": (3, lambda: self._signal("worker", signal.SIGSTOP)),
            "stop web": (2, lambda: self._signal("web", signal.SIGTERM)),
            "stop worker": (2, lambda: self._signal("worker", signal.SIGTERM)),
            "cut a customer's socket": (30, self.cut_socket),
            "cut Redis connections": (10, self.cut_redis),
            "FLUSHALL": (4, self.flush_redis),
            "kill Redis" if stage.server else "kill Valkey": (2, self.kill_redis),
            "clock jump": (10, self.jump),
        }
        if stage.disk:
            kinds["full disk"] = (1, self.fill_disk)
        if stage.database == "postgresql":
            kinds["end a PostgreSQL connection"] = (10, self.end_backend)
            kinds["kill a PostgreSQL backend"] = (1, self.kill_backend)
        return kinds

    async def kill_worker(self) -> bool:
        slot = self._one("worker")
        if slot is None:
            return False
        pid = slot.pid
        self.campaign.bots.signal(slot, signal.SIGKILL)
        with suppress(Unavailable):
            held = await self.campaign.stage.rows(
                f"SELECT id FROM sessions WHERE holder LIKE '%:{pid}.%' AND asked_seq > done_seq"
            )
            sessions = {row.id for row in held}
            self._await("worker's death, to its sessions' answers", lambda visitor: visitor in sessions)
        return True

    async def cut_socket(self) -> bool:
        inside = sorted(self.campaign.crowd.inside, key=lambda visitor: visitor.name)
        if inside:
            self.random.choice(inside).tear()
        return bool(inside)

    async def cut_redis(self) -> bool:
        kind = self.random.choice(("normal", "pubsub"))
        return await self._redis(lambda redis: redis.client_kill_filter(_type=kind, skipme=True))

    async def flush_redis(self) -> bool:
        flushed = await self._redis(lambda redis: redis.flushall())
        if flushed:
            self._await("FLUSHALL, to the answers waited for", lambda _: True)
        return flushed

    async def kill_redis(self) -> bool:
        """The bots revive a Valkey of theirs; Redis is the driver's own, and stays away for a while."""
        server, pids = self.campaign.stage.server, list[int]()

        async def find(redis: Redis) -> None:
            pids.append((await redis.info("server"))["process_id"])

        if not await self._redis(find):
            return False
        self._await("the death of Redis, to the answers waited for", lambda _: True)
        if server is None:
            os.kill(pids[0], signal.SIGKILL)
            return True
        server.kill()
        await asyncio.sleep(self.random.uniform(*AWAY))
        await asyncio.to_thread(server.start)
        return True

    async def fill_disk(self) -> bool:
        disk = self.campaign.stage.disk
        assert disk
        ballast = disk / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(self.random.uniform(*FULL_FOR))
        ballast.unlink()
        return True

    async def jump(self) -> bool:
        slot = self.random.choice(self.campaign.bots.slots)
        wrong = self.random.random() < 0.7
        self.campaign.board.set_skew(slot.number, self.random.uniform(-JUMPS, JUMPS) if wrong else 0.0)
        return True

    async def end_backend(self) -> bool:
        return await self._on_a_backend("SELECT pg_terminate_backend({pid})")

    async def kill_backend(self) -> bool:
        """The server ends every other connection then, and recovers."""
        pid = await self._backend()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pid)

    async def _on_a_backend(self, statement: str) -> bool:
        pid = await self._backend()
        if pid:
            with suppress(Unavailable):
                await self.campaign.stage.rows(statement.format(pid=pid))
        return bool(pid)

    async def _backend(self) -> int:
        with suppress(Unavailable):
            found = await self.campaign.stage.rows(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'shotdesk'"
                " AND pid <> pg_backend_pid() ORDER BY pid"
            )
            return int(self.random.choice(found).pid) if found else 0
        return 0

    async def _signal(self, role: str, number: signal.Signals) -> bool:
        slot = self._one(role)
        return slot is not None and self.campaign.bots.signal(slot, number)

    def _one(self, role: str) -> Slot | None:
        there = [slot for slot in self.campaign.bots.slots if slot.birth.role == role and slot.is_there]
        return self.random.choice(there) if there else None

    async def _redis(self, call: Callable[[Redis], Awaitable[object]]) -> bool:
        async with Redis.from_url(self.campaign.stage.redis_url, socket_timeout=1) as redis:
            try:
                await call(redis)
            except (RedisError, OSError):
                return False
        return True

    def _await(self, what: str, whose: Callable[[str], bool]) -> None:
        self.recovery.begin(what, [v for v in self.campaign.crowd.inside if whose(v.session or "")])


def _fill(ballast: Path) -> None:
    """What somebody else is quicker with is not ours: that is full as well."""
    with ballast.open("wb") as file:
        for _ in range(3):
            with suppress(OSError):
                free = shutil.disk_usage(ballast).free
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), max(free, 1))


@dataclass(frozen=True, slots=True)
class Faulted:
    """``done``: how often each fault came; ``left_out``: what this machine does not let us do."""

    outcome: Outcome
    done: Mapping[str, int]
    left_out: Sequence[str]
    recovery: Recovery


async def fault(database: str, count: int, seed: int, seconds: float) -> Faulted:
    """``count`` faults, or as many as so many seconds give."""
    done: Counter[str] = Counter()

    def struck(_: Board) -> Struck:
        return lambda slot, point, blow: done.update([f"{blow.name.lower()} at a failpoint"])

    async with opened(database, BOTS, SESSIONS, seed, struck) as campaign:
        for slot in campaign.bots.slots:
            campaign.board.set_chance(slot.number, CHANCE)
        faults = Faults(campaign, Random(seed))
        left_out = (
            [] if campaign.stage.disk or database != "sqlite" else ["full disk: no disk can be mounted"]
        )
        await _go_wrong(faults, done, count, seconds)
        for slot in campaign.bots.slots:
            campaign.board.set_skew(slot.number, 0.0)
        outcome = await concluded(campaign)
    return Faulted(outcome, done, left_out, faults.recovery)


async def _go_wrong(faults: Faults, done: Counter[str], count: int, seconds: float) -> None:
    """A fault for each answer that a customer got: so that there is always something to break."""
    progress = Progress("faults", count)
    campaign, kinds = faults.campaign, faults.kinds
    names, weights = list(kinds), [weight for weight, _ in kinds.values()]
    while done.total() < count and campaign.seconds < seconds:
        (name,) = faults.random.choices(names, weights)
        if (name not in HEAVY or campaign.bots.missing < 2) and await kinds[name][1]():
            done[name] += 1
            await _an_answer(campaign)
        faults.recovery.look()
        progress.show(done.total(), campaign)


async def _an_answer(campaign: Campaign) -> None:
    answers = campaign.crowd.answers
    with suppress(TimeoutError):
        async with asyncio.timeout(IDLE):
            while campaign.crowd.answers == answers:  # noqa: ASYNC110  # a count, not an event
                await asyncio.sleep(0.02)
