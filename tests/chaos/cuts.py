"""Customers whose sockets break at random frames: each answer is shown once, in order, in both of their tabs.

    python -m tests.chaos.cuts --count 10000 --seed 7 --database postgresql

Every socket of every tab has its cut drawn from the seed: at which frame, sent or received, before or after
it. Some customers send again what is not accepted at once.
"""

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
import time
from asyncio import gather
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from string import ascii_letters

import structlog

from bot.app import App, migrate
from bot.domain.message import Sender
from bot.domain.vocabulary import SessionId
from tests.customer import ACCEPTED_WITHIN, Customer, Cut, random_cuts
from tests.doors.bot import SECRET, Bot, png, running_bot, settings_of
from tests.servers import postgres

SESSIONS = 20
"""Customers side by side."""

TABS = 2
IMPATIENT = 0.2
"""Seconds after which some customers send again, though nothing is wrong."""

WORDS = ("你好", "为什么扣我钱", "谢谢", "在吗", "扣了两次")
PICTURES = 0.01
"""The part of messages that have a picture."""

TOGETHER = 0.2
"""The part of times at which both tabs speak at once."""

EVERYTHING = 10**6
"""Lines: more than a session has."""


class Campaign:
    """So many cuts, from one seed; and what came of them."""

    def __init__(self, seed: int, count: int) -> None:
        self.seed, self.count = seed, count
        self.tabs: list[Customer] = []
        self.messages = self.lines = 0
        self.violations: list[str] = []

    @property
    def cuts(self) -> Counter[Cut]:
        return sum((tab.cuts for tab in self.tabs), Counter[Cut]())

    @property
    def goes_on(self) -> bool:
        return sum(tab.cuts.total() for tab in self.tabs) < self.count

    def cuts_of(self, random: Random) -> Iterator[Cut | None]:
        """A cut for each socket, until there were enough."""
        for cut in random_cuts(random):
            yield cut if self.goes_on else None

    async def run(self, app: App, address: str) -> None:
        async with asyncio.TaskGroup() as customers:
            for number in range(SESSIONS):
                customers.create_task(self._customer(app, address, number))

    async def _customer(self, app: App, address: str, number: int) -> None:
        random = Random(f"{self.seed} {number}")
        session = "".join(random.choices(ascii_letters, k=24))
        async with AsyncExitStack() as stack:
            tabs = [await stack.enter_async_context(self._tab(address, session, random)) for _ in range(TABS)]
            said: dict[str, int] = {}
            while self.goes_on:
                await _talk(tabs, random, said)
            await self._check(app, SessionId(session), tabs, said)

    def _tab(self, address: str, session: str, random: Random) -> Customer:
        own = Random(random.random())
        patience = random.choice((IMPATIENT, ACCEPTED_WITHIN))
        tab = Customer(
            address,
            session=session,
            customer="C1",
            secret=SECRET,
            cuts=self.cuts_of(own),
            accepted_within=patience,
            random=own,
        )
        self.tabs.append(tab)
        return tab

    async def _check(self, app: App, id: SessionId, tabs: Sequence[Customer], said: dict[str, int]) -> None:
        """What both tabs show is the log, and the log is what was said, once, with an answer to all of it."""
        log = await app.store.log(id, after=0, limit=EVERYTHING)
        turns = Counter(entry.turn for entry in log if entry.sender is Sender.BOT)
        kept = [(entry.text, entry.seq) for entry in log if entry.sender is Sender.CUSTOMER]
        self.messages += len(said)
        self.lines += len(log)
        await gather(*(tab.sees(log[-1].seq if log else 0) for tab in tabs))
        for tab in tabs:
            shown = [(line.seq, line.sender, line.text) for line in tab.screen.lines.values()]
            self._must(shown == [(e.seq, e.sender, e.text) for e in log], f"{id}: a tab shows something else")
            self.violations += tab.faults
        self._must(sorted(kept) == sorted(said.items()), f"{id}: {len(said)} said, {len(kept)} kept")
        self._must(all(times == 1 for times in turns.values()), f"{id}: a turn was answered twice")
        for _, seq in kept:
            turn = await app.store.turn_of(id, seq)
            self._must(turn is not None and turn.turn in turns, f"{id}: line {seq} was not answered")

    def _must(self, holds: bool, violation: str) -> None:
        if not holds:
            self.violations.append(violation)

    def report(self, database: str, seconds: float) -> str:
        """The campaign's table, as Markdown."""
        rows = {
            "cuts": self.cuts.total(),
            **{f"cuts {name}": number for name, number in sorted(_kinds(self.cuts).items())},
            "sockets": sum(tab.sockets for tab in self.tabs),
            "messages": self.messages,
            "sent again": sum(tab.resent for tab in self.tabs),
            "lines shown": TABS * self.lines,
            "violations": len(self.violations),
            "seconds": round(seconds),
        }
        table = [f"| {database}, seed {self.seed} | |", "|---|---|"]
        return "\n".join([*table, *(f"| {name} | {number:,} |" for name, number in rows.items())])


async def _talk(tabs: Sequence[Customer], random: Random, said: dict[str, int]) -> None:
    """Something is said in one of the tabs, or in both at once, and is answered in all of them."""
    together = len(tabs) if random.random() < TOGETHER else 1
    speakers = random.sample(tabs, together)
    texts = [f"{random.choice(WORDS)} {len(said) + place}" for place in range(together)]
    pictures = [[png()] if random.random() < PICTURES else [] for _ in speakers]
    what = zip(speakers, texts, pictures, strict=True)
    seqs = await gather(*(tab.say(text, shown) for tab, text, shown in what))
    said.update(zip(texts, seqs, strict=True))
    await gather(*(tab.answer(max(seqs)) for tab in tabs))


def _kinds(cuts: Counter[Cut]) -> Counter[str]:
    kinds = Counter[str]()
    for cut, times in cuts.items():
        kinds[f"{cut.when} a frame was {cut.way}"] += times
    return kinds


@asynccontextmanager
async def bot_on(database: str) -> AsyncIterator[Bot]:
    """A bot on a real socket, over a new database."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(postgres(durable=True)) if database == "postgresql" else None
        await migrate(settings_of(home, database_url=url))
        async with running_bot(home, database_url=url) as bot:
            yield bot


async def run(seed: int, count: int, database: str) -> Campaign:
    """Prints the table, and each violation."""
    print(f"seed {seed}", flush=True)
    campaign = Campaign(seed, count)
    async with bot_on(database) as bot:
        began = time.monotonic()
        await campaign.run(bot.app, bot.address)
    print(campaign.report(database, time.monotonic() - began))
    for violation in campaign.violations:
        print(violation)
    return campaign


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cuts", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return 1 if asyncio.run(run(args.seed, args.count, args.database)).violations else 0


if __name__ == "__main__":
    sys.exit(main())
