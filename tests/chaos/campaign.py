"""What both campaigns share: a stage with bots and a crowd on it, the reckoning, and what is told of it."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.failpoints import Board
from tests.chaos.invariants import Violation, drained, violations
from tests.chaos.nursery import Nursery, Struck, nursery
from tests.chaos.stage import Stage, staged
from tests.chaos.visitors import Crowd, is_honest

DRAINS_WITHIN = 60.0
"""Seconds after the last fault in which everything must be done that was accepted."""

KEPT = Path(".pytest_cache") / "d"
"""Where the tests keep the trained classifier between runs, and a campaign the log of its bots."""

SPEAKS_EVERY = 30.0
"""Seconds between two lines about how far it is."""


@dataclass
class Campaign:
    """Bots on a stage, and a crowd that talks to them."""

    stage: Stage
    board: Board
    bots: Nursery
    crowd: Crowd
    talking: asyncio.Task[None]
    log: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a campaign."""

    sessions: int
    messages: int
    doubles: int
    deaths: int
    honest: int
    """Sessions in which the bot said that there is no answer now, and handed over."""
    waits: Sequence[float]
    """Seconds until each answer."""
    seconds: float
    violations: Sequence[Violation]
    log: Counter[str]
    """What the bots wrote down, by kind."""


@asynccontextmanager
async def opened(
    database: str, roles: Sequence[str], sessions: int, seed: int, struck: Callable[[Board], Struck]
) -> AsyncIterator[Campaign]:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(staged(database))
        board = Board(stage.base / "board", len(roles))
        births = stage.births(roles, seed)
        KEPT.mkdir(parents=True, exist_ok=True)
        log = KEPT / f"chaos-{database}.log"
        log.unlink(missing_ok=True)
        bots = await stack.enter_async_context(nursery(births, board, KEPT, log, struck(board)))
        web = [slot.address for slot in bots.slots if slot.birth.role != "worker"]
        crowd = Crowd(web, str(seed), sessions, stage.arrived)
        talking = asyncio.create_task(crowd.run())
        try:
            yield Campaign(stage, board, bots, crowd, talking, log)
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)


async def concluded(campaign: Campaign) -> Outcome:
    """No more faults: everybody gets an answer, the bots are stopped, and what they left is reckoned up."""
    stage, crowd = campaign.stage, campaign.crowd
    campaign.board.disarm()
    crowd.stop()
    found: list[Violation] = []
    done, _ = await asyncio.wait({campaign.talking}, timeout=DRAINS_WITHIN)
    if done:
        campaign.talking.result()
    else:
        found += [Violation("stuck", "customer still waits", v.where_it_stands()) for v in crowd.inside]
        campaign.bots.tell_where_they_stand()
    if not await drained(stage, DRAINS_WITHIN):
        found.append(Violation("stuck", "not drained", f"after {DRAINS_WITHIN:.0f} s"))
        campaign.bots.tell_where_they_stand()
    seconds = campaign.seconds
    for slot in await campaign.bots.stop():
        found.append(Violation("stuck", "does not stop", f"{slot.birth.role} {slot.number}"))
        campaign.bots.tell_where_they_stand()
    accounts = crowd.accounts
    found += await violations(stage, accounts)
    return Outcome(
        sessions=len(accounts),
        messages=crowd.messages,
        doubles=sum(len(account.doubles) for account in accounts) + crowd.doubled,
        deaths=campaign.bots.deaths - len(campaign.bots.slots),
        honest=sum(any(map(is_honest, account.lines.values())) for account in accounts),
        waits=[seconds for account in accounts for seconds in account.waited],
        seconds=seconds,
        violations=found,
        log=_events(campaign.log),
    )


def _events(log: Path) -> Counter[str]:
    """What the bots complained about, without what a failpoint has made them say."""
    events: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            events[f"no event: {line[:80]}"] += 1
            continue
        about = [str(event[name]) for name in ("event", "error", "cause", "said") if name in event]
        events[" ".join(about)] += 1
    return events


class Progress:
    """A line now and then."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._spoken = time.monotonic()

    def show(self, done: int, campaign: Campaign) -> None:
        if time.monotonic() - self._spoken >= SPEAKS_EVERY:
            self._spoken = time.monotonic()
            crowd = campaign.crowd
            print(
                f"{self._title}: {done}/{self._total} after {campaign.seconds:.0f} s;"
                f" {len(crowd.accounts)} sessions, {crowd.messages} messages, {campaign.bots.deaths} deaths",
                file=sys.stderr,
                flush=True,
            )
