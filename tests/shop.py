"""The whole bot on a shop of its own, for tests that talk to it: all is real but the reader and the clock."""

import asyncio
import io
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import ConfigDict
from redis.asyncio import from_url

from adapters.storage.embedded import EmbeddedValkey
from bot.app import App, open_app, opened_orders, read_order_file
from bot.domain.errors import Unavailable
from bot.domain.message import Accepted, Address, Attachment, Message, Sender
from bot.domain.pace import Pace
from bot.domain.ports import Clock, OrderSystem, Performed
from bot.domain.reading import Fact, Picture, Reading, Seen
from bot.domain.records import Records
from bot.domain.session import MEMORY, WINDOW, Action, Dialogue, Turn
from bot.domain.vocabulary import FACTS, MONEY_FACTS, ActionId, CustomerId, PictureId, SessionId
from bot.settings import Settings

ORDERS = Path(__file__).parent / "dialogues" / "shop.json"

BEFORE = timedelta(seconds=30)
"""Messages were sent this long ago, so that nothing waits for the rest of a burst."""

WAITS = (
    ("sessions", "lease_until"),
    ("sessions", "send_lease_until"),
    ("sessions", "held_at"),
    ("effects", "lease_until"),
    ("effects", "next_at"),
    ("messages", "next_at"),
)
"""Where the database keeps what is to happen later, and since when something waits."""


@dataclass
class Hands:
    """The hands of the shop's clock."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


class AtTime(Settings):
    """Settings with a clock that stands still until it is moved."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    hands: Hands

    def clock(self) -> Clock:
        return self.hands


@dataclass
class ScriptedReader:
    """Reads in each picture what the test wrote beside it."""

    name: str = "scripted"
    readings: dict[PictureId, Reading] = field(default_factory=dict)

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        return Seen(tuple(self.readings[picture.id] for picture in pictures))


@dataclass
class MoodyOrders:
    """The order system, which can be down, or hang, for reading (``records``) or for acting (``perform``).

    ``asked`` counts the calls that reached it.
    """

    inner: OrderSystem
    down: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    performed: list[tuple[ActionId, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    async def customer(self, address: Address) -> CustomerId | None:
        return await self.inner.customer(address)

    async def records(self, customer: CustomerId | None) -> Records:
        await self._try("records")
        return await self.inner.records(customer)

    async def perform(self, customer: CustomerId, action: Action, key: ActionId) -> Performed:
        await self._try("perform")
        self.performed.append((key, action.target))
        return await self.inner.perform(customer, action, key)

    async def ping(self) -> None:
        await self.inner.ping()

    async def _try(self, verb: str) -> None:
        self.asked[verb] += 1
        if verb in self.hung:
            await asyncio.Event().wait()
        if verb in self.down:
            raise Unavailable


@dataclass
class Shop:
    """An open bot, and what a test does with it."""

    app: App
    hands: Hands
    reader: ScriptedReader
    orders: MoodyOrders
    valkey: str
    show: Callable[[str], Awaitable[dict[str, Any]]]
    load: Callable[[], Awaitable[None]]
    loaded: bool = False

    async def fresh(self, now: datetime) -> None:
        """The records as the order file has them, and the clock at a time."""
        self.hands.now = now
        if self.orders.performed or not self.loaded:
            await self.load()
        self.loaded = True
        self.orders.performed.clear()

    async def say(
        self, session: str, customer: str | None, text: str, pictures: Sequence[Mapping[str, Any]] = ()
    ) -> Turn:
        """One turn, as ``shotdesk ask`` takes it."""
        accepted = await self.send(session, customer, text, pictures)
        await self.app.workers.attend(accepted.session)
        turn = await self.app.store.turn_of(accepted.session, accepted.seq)
        assert turn is not None
        return turn

    async def send(
        self,
        session: str,
        customer: str | None,
        text: str,
        pictures: Sequence[Mapping[str, Any]] = (),
        ago: timedelta = BEFORE,
    ) -> Accepted:
        """A message that nobody has answered yet."""
        attachments = [Attachment(id=await self._keep(picture)) for picture in pictures]
        message = Message(
            address=Address(channel="web", account="default", user=session),
            key=self.app.ids(),
            text=text,
            attachments=tuple(attachments),
            at=self.hands.now - ago,
        )
        whose = CustomerId(customer) if customer else None
        return await self.app.inbox.receive(message, whose, SessionId(session))

    async def passes(self, time: timedelta) -> None:
        """Time goes by, by the shop's clock and by that of its database."""
        self.hands.now += time
        await asyncio.to_thread(_shift, self.app.settings.home / "shotdesk.db", time)

    async def remembered(self, session: str) -> Dialogue | None:
        """The living dialogue, as Redis has it."""
        async with from_url(self.valkey) as redis:
            text = await redis.get(f"shotdesk:{{{session}}}:dialogue")
        return Dialogue.model_validate(json.loads(text)["dialogue"]) if text else None

    async def rebuilt(self, session: str) -> Dialogue:
        """The same from SQL."""
        exchanges = await self.app.store.exchanges(SessionId(session), self.hands.now - MEMORY, WINDOW)
        return Dialogue.of(exchanges, self.hands.now)

    async def forget(self) -> None:
        """All of Redis is lost."""
        async with from_url(self.valkey) as redis:
            await redis.flushall()

    async def replies_until(self, session: str, comes: Callable[[str], bool]) -> list[str]:
        """Lets the workers run until a reply has come that was waited for; all of the bot's replies."""
        async with asyncio.timeout(20), self.app.workers.running():
            async for _ in self.app.cache.watch(SessionId(session)):
                log = await self.app.store.log(SessionId(session), 0)
                replies = [entry.text for entry in log if entry.sender is Sender.BOT]
                if any(map(comes, replies)):
                    return replies
        raise AssertionError("the watch ended")

    async def _keep(self, spelt: Mapping[str, Any]) -> PictureId:
        image = io.BytesIO()
        await asyncio.to_thread(Image.new("RGB", (60, 120), "white").save, image, "PNG")
        picture = await self.app.pictures.check(image.getvalue())
        await self.app.media.keep(picture, "test")
        self.reader.readings[picture.id] = spelt_reading(spelt)
        return picture.id


def spelt_reading(spelt: Mapping[str, Any]) -> Reading:
    """A picture as a dialogue spells it: ``page``, ``language``, ``flags``, and each fact's values.

    Money is ``88.00 CNY``; each of ``rows`` has facts of its own.
    """
    unknown = set(spelt) - {"page", "language", "flags", "rows", *FACTS}
    assert not unknown, f"a picture has no {unknown}"
    facts = list(_facts(spelt, None))
    for group, row in enumerate(spelt.get("rows", ())):
        facts += _facts(row, group)
    return Reading(
        page=spelt.get("page", "charge_notice"),
        language=spelt.get("language", "zh"),
        facts=tuple(facts),
        flags=tuple(spelt.get("flags", ())),
        reader="scripted",
    )


def _shift(database: Path, time: timedelta) -> None:
    """Whatever is to happen later is that much nearer."""
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        for table, column in WAITS:
            nearer = f"strftime('%Y-%m-%d %H:%M:%f000', {column}, ?)"
            connection.execute(
                f"UPDATE {table} SET {column} = {nearer} WHERE {column} > '2000'",
                [f"{-time.total_seconds()} seconds"],
            )


def _share(home: Path, classifier: Path) -> None:
    home.mkdir(exist_ok=True)
    if not (home / "classifier").exists():
        (home / "classifier").symlink_to(classifier)


def _facts(spelt: Mapping[str, Any], group: int | None) -> Iterator[Fact]:
    for name in FACTS:
        values = spelt.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            written, _, unit = str(value).partition(" ") if name in MONEY_FACTS else (str(value), "", "")
            yield Fact(
                name=name,
                value=written,
                unit=unit or None,
                text=str(value),
                box=(0, 0, 10, 10),
                confidence=0.95,
                group=group,
            )


@asynccontextmanager
async def open_shop(
    home: Path, classifier: Path, now: datetime, pace: Pace = Pace(), reader: ScriptedReader | None = None
) -> AsyncIterator[Shop]:
    """The bot in an empty or a used folder; ``classifier``: where the trained classifier is kept."""
    hands, reader = Hands(now), reader or ScriptedReader()
    await asyncio.to_thread(_share, home, classifier)
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(EmbeddedValkey(home / "valkey"))
        settings = AtTime(home=home, hands=hands, redis_url=valkey.url)
        sql = await stack.enter_async_context(opened_orders(settings))
        orders = MoodyOrders(sql)
        file = read_order_file(settings, ORDERS)
        app = await stack.enter_async_context(
            open_app(settings, migrated=True, readers=[reader], orders=orders, pace=pace)
        )
        yield Shop(app, hands, reader, orders, valkey.url, sql.show, lambda: sql.load(file))
