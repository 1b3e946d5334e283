"""The deterministic campaign: a plan of crashes, each at a named failpoint, with many sessions in flight."""

import asyncio
import signal
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import httpx

from tests.chaos.campaign import Campaign, Outcome, Progress, concluded, opened
from tests.chaos.failpoints import POINTS, Blow, Board
from tests.chaos.nursery import Nursery, Slot, Struck
from tests.chaos.plan import OUT_OF_REACH, Trap, planned, verb_of
from tests.customer import NO_TLS

BOTS = ("all",) * 4
SESSIONS = 48

WAITS = 20.0
"""Seconds that traps are waited for after the last one was laid."""

VISITED_EVERY = 2.0
"""Seconds between two looks at the bots, as a prober has them; then one bot is stopped as an operator stops it."""


@dataclass
class Crashes:
    """Lays traps, and counts what sprang."""

    board: Board
    traps: deque[Trap]

    def __post_init__(self) -> None:
        self.sprung: Counter[tuple[str, Blow]] = Counter()
        self._slots = cycle(range(self.board.slots))

    def lay_one(self) -> bool:
        """In the next slot where there is room for it. False: there is none, and it comes later."""
        trap = self.traps.popleft()
        for _ in range(self.board.slots):
            if self.board.arm(next(self._slots), trap.point, trap.blow, trap.nth):
                return True
        self.traps.append(trap)
        return False

    def struck(self, slot: Slot, point: str, blow: Blow) -> None:
        self.sprung[point, blow] += 1

    @property
    def done(self) -> int:
        return self.sprung.total()


@dataclass(frozen=True, slots=True)
class Crashed:
    """``hits``: how often each failpoint was passed; ``planned``: how often each blow should have fallen."""

    outcome: Outcome
    sprung: Mapping[tuple[str, Blow], int]
    planned: Mapping[tuple[str, Blow], int]
    hits: Mapping[str, int]

    @property
    def never_reached(self) -> list[str]:
        return [p for p in POINTS if not self.hits[p] and verb_of(p) not in OUT_OF_REACH]

    @property
    def reached_unawares(self) -> list[str]:
        """What was thought to be out of reach."""
        return [p for p in POINTS if self.hits[p] and verb_of(p) in OUT_OF_REACH]


async def crash(database: str, count: int, seed: int, seconds: float) -> Crashed:
    """``count`` crashes, or as many as so many seconds give."""
    plan = planned(count, seed)
    wanted = Counter((trap.point, trap.blow) for trap in plan)
    made: list[Crashes] = []

    def struck(board: Board) -> Struck:
        made.append(Crashes(board, plan))
        return made[0].struck

    async with opened(database, BOTS, SESSIONS, seed, struck) as campaign:
        (crashes,) = made
        visiting = asyncio.create_task(_visit(campaign.bots))
        try:
            await _spring(campaign, crashes, count, seconds)
        finally:
            visiting.cancel()
        outcome = await concluded(campaign)
        hits = {point: campaign.board.hits(point) for point in POINTS}
    return Crashed(outcome, crashes.sprung, wanted, hits)


async def _spring(campaign: Campaign, crashes: Crashes, count: int, seconds: float) -> None:
    """Lays a trap for each answer that a customer got: so the bots die as fast as this machine revives them."""
    progress = Progress("crashes", count)
    laid, last = 0, time.monotonic()
    while crashes.done < count and time.monotonic() - last < WAITS and campaign.seconds < seconds:
        if laid < min(count, campaign.crowd.answers) and campaign.bots.missing < 2 and crashes.lay_one():
            laid, last = laid + 1, time.monotonic()
        else:
            await asyncio.sleep(0.01)
        progress.show(crashes.done, campaign)


async def _visit(bots: Nursery) -> None:
    """Asks each bot whether it is ready, and stops one after the other in good order."""
    async with httpx.AsyncClient(verify=NO_TLS, timeout=2) as http:
        for slot in cycle(bots.slots):
            await asyncio.sleep(VISITED_EVERY)
            await asyncio.gather(
                *(http.get(f"{other.address}/ready") for other in bots.slots), return_exceptions=True
            )
            bots.signal(slot, signal.SIGTERM)
