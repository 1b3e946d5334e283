"""``shotdesk bench growth``: whether a turn takes longer when much is stored, or when a session is long."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from time import perf_counter

from bot.app import App, open_app, open_copies
from bot.bench.everyday import everyday
from bot.bench.figures import Aim, Figure, Line, Reference, Remark, Unit, percentile, progress
from bot.bench.processes import require_proc
from bot.bench.setups import Ground, Setup
from bot.domain.message import Address, Message
from bot.domain.session import MEMORY, WINDOW
from bot.domain.vocabulary import CustomerId, SessionId

NAME = "growth"
GROWTH = Aim(1.2, "ratio")

FEW = 1_000
LONG = 500
SWEPT = 500
"""What a sweeper asks for at once."""

SEEDS = (
    ("C-1001", "我的快递到哪了"),
    ("C-1001", "88那笔是什么钱", "好的"),
    ("C-1001", "查一下我的订单", "谢谢"),
    ("C-1002", "我的退款到哪了"),
    ("C-1002", "在吗", "为什么扣我钱"),
    ("C-1003", "怎么关闭自动续费"),
    ("C-1003", "退款什么时候到账", "谢谢"),
    ("C-1005", "where is my parcel?"),
    ("C-1005", "please cancel my auto renewal", "no thanks"),
    ("C-1006", "how is my order doing?"),
    ("C-1006", "转人工"),
    ("C-1007", "今天天气怎么样", "发货了吗"),
)
"""Conversations that are stored many times over: one with an effect, one that went to a person."""


@dataclass(frozen=True, slots=True)
class Size:
    """``conversations`` stored, beside FEW; ``turns`` measured of each kind."""

    conversations: int = 1_000_000
    turns: int = 200


async def bench_growth(ground: Ground, size: Size) -> AsyncIterator[Line]:
    """Raises Unavailable."""
    require_proc()
    for name in ground.names():
        async with AsyncExitStack() as stack:
            few = await stack.enter_async_context(stored(ground, name, FEW))
            many = await stack.enter_async_context(stored(ground, name, size.conversations))
            async for line in _bench(name, few, many, size):
                yield line
    if missing := ground.missing():
        yield Remark(NAME, missing)


async def _bench(setup: str, few: "Stored", many: "Stored", size: Size) -> AsyncIterator[Line]:
    def figure(
        what: str, value: float, unit: Unit, reference: Reference | None = None, aim: Aim | None = None
    ) -> Figure:
        return Figure(NAME, setup, what, value, unit, reference, aim)

    def pair(what: str, times: Sequence[Sequence[float]], name: str, aim: Aim | None = GROWTH) -> Figure:
        mine, theirs = (percentile(each, 0.5) for each in times)
        return figure(what, mine, "ms", Reference(name, theirs), aim)

    fewer = f"{few.conversations:,} stored"
    yield figure("conversations stored", many.conversations, "")
    yield figure("filled in", many.seconds, "s")
    yield figure("size of the database", many.bytes / 2**20, "MiB", Reference(fewer, few.bytes / 2**20))
    for both in (few, many):
        await _beside(size.turns // 20 + 1, both.turn_in_new, both.turn_in_stored)  # warms up
    yield pair("turn in a new session", await _beside(size.turns, many.turn_in_new, few.turn_in_new), fewer)
    yield pair(
        "turn in a stored session", await _beside(size.turns, many.turn_in_stored, few.turn_in_stored), fewer
    )
    for what, mine, theirs in zip(READS, many.reads(), few.reads(), strict=True):
        yield pair(what, await _beside(size.turns // 4 + 1, mine, theirs), fewer, None)
    looks = await few.look()
    for what, took in (await many.look()).items():
        yield pair(what, (took, looks[what]), fewer, None)
    sessions = max(2, size.turns // 4)
    firsts, longs = await few.sessions_of_one_turn(sessions), await few.long_sessions(sessions)
    second = [few.asking(each) for each in firsts]
    last = [few.asking(each) for each in longs]
    yield pair(f"turn {LONG} of a session", await _beside(sessions, _each(last), _each(second)), "turn 2")
    longs = await few.long_sessions(sessions)
    last = [few.asking(each) for each in longs]
    yield pair(f"turn {LONG} of a session", await _beside(sessions, _each(last), few.turn_in_new), "turn 1")


READS = (
    "sweep: unanswered",
    "sweep: effects due",
    "sweep: undelivered",
    "a session's log",
    "a session's last exchanges",
    "a session's customer",
    "sweep: media",
)

Timed = Callable[[], Awaitable[object]]


class Stored:
    """A bot whose store holds many conversations. Its turns run in this process, without doors."""

    def __init__(self, setup: Setup, app: App) -> None:
        self._setup, self._app = setup, app
        self._copies = open_copies(setup.settings)
        self._questions = everyday().asked(seed=0)
        self._seeds: list[tuple[CustomerId, SessionId]] = []
        self._old = self._stored()
        self.conversations = self.bytes = 0
        self.seconds = 0.0

    async def fill(self, conversations: int) -> None:
        for customer, *texts in SEEDS:
            session = self._app.ids()
            for text in texts:
                await self.ask(SessionId(session), CustomerId(customer), text)
            self._seeds.append((CustomerId(customer), SessionId(session)))
        handed_over = next(
            session for seed, (_, session) in zip(SEEDS, self._seeds, strict=True) if "转人工" in seed
        )
        await self._app.store.close(handed_over, "bench")
        progress(f"{self._setup.name}: storing {conversations:,} conversations")
        began = perf_counter()
        times = max(1, conversations // len(SEEDS)) - 1
        await self._copies.multiply(times)
        self.seconds = perf_counter() - began
        self.conversations, self.bytes = len(SEEDS) * (times + 1), await self._copies.size()

    async def ask(self, session: SessionId, customer: CustomerId, text: str) -> None:
        """A whole turn: accepted, answered, delivered, read from the log."""
        message = Message(
            address=Address(channel="web", account="default", user=session),
            key=self._app.ids(),
            text=text,
            at=self._app.clock(),
        )
        accepted = await self._app.inbox.receive(message, customer, session)
        await self._app.workers.attend(session)
        await self._app.store.log(session, accepted.seq - 1)

    async def turn_in_new(self) -> None:
        await self.ask(SessionId(self._app.ids()), everyday().customers[0], next(self._questions))

    async def turn_in_stored(self) -> None:
        customer, session = next(self._old)
        await self.ask(session, customer, next(self._questions))

    def asking(self, session: SessionId) -> Timed:
        return lambda: self.ask(session, everyday().customers[0], next(self._questions))

    async def sessions_of_one_turn(self, number: int) -> Sequence[SessionId]:
        made = [SessionId(self._app.ids()) for _ in range(number)]
        for session in made:
            await self.ask(session, everyday().customers[0], next(self._questions))
        return made

    async def long_sessions(self, number: int) -> Sequence[SessionId]:
        """Sessions of one turn less than LONG; the last one has been taken, so that Redis knows them."""
        made = await self.sessions_of_one_turn(number)
        await self._copies.lengthen(made, LONG - 2)
        for session in made:
            await self.asking(session)()
        return made

    def reads(self) -> Sequence[Timed]:
        store, app = self._app.store, self._app
        return (
            lambda: store.unanswered(SWEPT),
            lambda: store.due_effects(SWEPT),
            lambda: store.undelivered(SWEPT),
            lambda: store.log(next(self._old)[1], 0),
            lambda: store.exchanges(next(self._old)[1], app.clock() - MEMORY - timedelta(days=30), WINDOW),
            lambda: store.customer_of(next(self._old)[1]),
            app.media.sweep,
        )

    async def look(self) -> dict[str, Sequence[float]]:
        return dict(await self._copies.look(10))

    def _stored(self) -> Iterator[tuple[CustomerId, SessionId]]:
        """Stored sessions, one after the other; both sizes have these."""
        for number in count():
            for seed, (customer, session) in zip(SEEDS, self._seeds, strict=True):
                if "转人工" not in seed and "好的" not in seed:
                    yield customer, self._copies.of(session, 1 + number % (FEW // len(SEEDS) // 2))


@asynccontextmanager
async def stored(ground: Ground, name: str, conversations: int) -> AsyncIterator[Stored]:
    """A bot on databases of its own that hold so many conversations."""
    async with ground.setup(name) as setup, open_app(setup.settings) as app:
        bot = Stored(setup, app)
        await bot.fill(conversations)
        yield bot


async def _beside(times: int, mine: Timed, theirs: Timed) -> tuple[list[float], list[float]]:
    """Milliseconds of two things, done in turn: what troubles the machine troubles both."""
    both: tuple[list[float], list[float]] = ([], [])
    pairs = [*zip(both, (mine, theirs), strict=True)]
    for time in range(times):
        for took, do in pairs if time % 2 else reversed(pairs):  # neither is always the one that comes first
            began = perf_counter()
            await do()
            took.append((perf_counter() - began) * 1000)
    return both


def _each(things: Sequence[Timed]) -> Timed:
    """Does another one of them each time."""
    left = iter(things)

    async def another() -> None:
        await next(left)()

    return another
