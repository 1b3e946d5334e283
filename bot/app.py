"""The one place where everything is wired."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import ValidationError

from bot.domain.errors import BadSettings, NotFound, Unavailable
from bot.domain.intent import Ask, Handler, Outcome
from bot.domain.pace import Pace
from bot.domain.ports import (
    Channel,
    Classifier,
    Clock,
    Ids,
    MediaStore,
    OrderSystem,
    PictureTool,
    ScreenReader,
    SessionCache,
    Store,
)
from bot.domain.reading import Reading
from bot.domain.vocabulary import INTENTS, IntentName
from bot.flow.actions import Actions
from bot.flow.conversation import ConversationManager
from bot.flow.decision import Decision
from bot.flow.holding import HoldingAnswers
from bot.flow.inbox import Inbox
from bot.flow.outbox import Outbox
from bot.flow.perception import Ladder, Perception
from bot.flow.privacy import mask_reading
from bot.flow.understanding import Understanding
from bot.flow.wording import SHARED, Wording, load_book
from bot.settings import PREFIX, Settings, explain
from bot.workers import Workers

if TYPE_CHECKING:
    from adapters.orders.demo.screenshots import Sample, Screenshot
    from adapters.orders.file import OrderFile
    from adapters.orders.sql import SqlOrders
    from adapters.storage.copies import Copies


INSTALLED = Path(sys.prefix) / "share" / "shotdesk"
"""What ``make install`` has made ahead for every home."""


Port = TypeVar("Port")


class Wrap(Protocol):
    """Stands between the bot and a port of a name: ``store``, ``cache``, ``channel.web``, ``reader.ocr`` ..."""

    def __call__(self, name: str, port: Port, /) -> Port: ...


def bare(name: str, port: Port, /) -> Port:
    """Nothing stands in between."""
    return port


@dataclass(frozen=True, slots=True)
class App:
    """Everything that the doors, the workers and the command line open."""

    settings: Settings
    pace: Pace
    clock: Clock
    ids: Ids
    store: Store
    cache: SessionCache
    media: MediaStore
    pictures: PictureTool
    orders: OrderSystem
    channels: Mapping[str, Channel]
    inbox: Inbox
    workers: Workers
    version: str


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    migrated: bool = False,
    warm: bool = False,
    readers: Sequence[ScreenReader] = (),
    classifier: Classifier | None = None,
    orders: OrderSystem | None = None,
    pace: Pace = Pace(),
    wrap: Wrap = bare,
) -> AsyncIterator[App]:
    """Wires the bot and closes it again. ``migrated``: bring the databases up to date first.

    ``warm``: make the embedded reader ready, in the background. ``readers``, ``classifier`` and ``orders``:
    instead of those that the settings name. ``wrap`` is put around every port. Raises BadSettings, Unavailable.
    """
    from adapters.channels.web import WebChannel
    from adapters.database import Database
    from adapters.orders.guarded import GuardedOrders
    from adapters.pictures.safe import SafePictures
    from adapters.storage.media import FileMedia
    from adapters.storage.sql import SqlStore

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if migrated:
        await migrate(settings)
    clock, ids = settings.clock(), new_id
    async with AsyncExitStack() as stack:
        cache = wrap("cache", await stack.enter_async_context(_cache(settings, pace)))
        database = Database(settings.database)
        stack.push_async_callback(database.close)
        if orders is None:
            orders = await stack.enter_async_context(opened_orders(settings, migrated=False))
        safe = SafePictures(ids)
        stack.push_async_callback(safe.aclose)
        pictures: PictureTool = wrap("pictures", safe)
        store: Store = wrap("store", SqlStore(database, clock, ids))
        orders = GuardedOrders(wrap("orders", orders), store.resume, pace)
        media: MediaStore = wrap("media", FileMedia(database, settings.home / "media", clock))
        if not readers:
            readers = await stack.enter_async_context(open_readers(settings, clock, warm=warm))
        ladder = Ladder([wrap(f"reader.{reader.name}", reader) for reader in readers])
        wording = Wording(load_book(replies()))
        channels: dict[str, Channel] = {"web": wrap("channel.web", WebChannel(cache))}
        actions = Actions(store, orders, wording, ids, pace)
        inbox = Inbox(store, cache, clock, f"{os.uname().nodename}:{os.getpid()}", pace)
        outbox = Outbox(store, channels, pace)
        conversation = ConversationManager(
            inbox,
            Perception(ladder, media, pictures),
            Understanding(
                classifier or load_classifier(settings),
                lambda text: wording.is_button(text, "yes_no", 0),
                lambda text: wording.is_button(text, "yes_no", 1),
            ),
            orders,
            Decision(load_handlers(), wording, actions),
            HoldingAnswers(store, outbox.deliver, wording, pace),
            clock,
            pace,
        )
        workers = Workers(store, cache, media, conversation, actions, outbox, pace)
        yield App(
            settings,
            pace,
            clock,
            ids,
            store,
            cache,
            media,
            pictures,
            orders,
            channels,
            inbox,
            workers,
            version("shotdesk"),
        )


@asynccontextmanager
async def _cache(settings: Settings, pace: Pace) -> AsyncIterator[SessionCache]:
    """Redis or Valkey where one is named, else a Valkey of our own, started and watched."""
    from adapters.storage.redis import RedisCache

    async with AsyncExitStack() as stack:
        url = settings.redis_url
        if url is None:
            url = await stack.enter_async_context(embedded_valkey(settings))
        cache = RedisCache(url, pace.redis_pause)
        stack.push_async_callback(cache.close)
        yield cache


@asynccontextmanager
async def embedded_valkey(settings: Settings) -> AsyncIterator[str]:
    from adapters.storage.embedded import EmbeddedValkey

    async with EmbeddedValkey(settings.home / "valkey") as valkey:
        watching = asyncio.create_task(valkey.watch())
        try:
            yield valkey.url
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class ReadingRoom:
    """Reads pictures without keeping anything: no store, no cache."""

    pictures: PictureTool
    ladder: Ladder

    async def read(self, data: bytes, *, reveal: bool) -> Reading:
        """Personal data is masked unless it is to be revealed. Raises what ``PictureTool.check`` raises."""
        picture = await self.pictures.check(data)
        seen = await self.ladder.read([picture], "", None)
        return seen.readings[0] if reveal else mask_reading(seen.readings[0])


@asynccontextmanager
async def open_reading_room(settings: Settings) -> AsyncIterator[ReadingRoom]:
    """The readers that are configured, and the safe opening of pictures."""
    from adapters.pictures.safe import SafePictures

    pictures = SafePictures(new_id)
    async with open_readers(settings, settings.clock()) as readers:
        try:
            yield ReadingRoom(pictures, Ladder(readers))
        finally:
            await pictures.aclose()


@asynccontextmanager
async def opened_orders(settings: Settings, *, migrated: bool = True) -> AsyncIterator["SqlOrders"]:
    """The SQL order store. ``migrated``: brought up to date first."""
    from adapters.orders.sql import SqlOrders

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    orders = SqlOrders(settings.orders, settings.tz, settings.clock())
    try:
        if migrated:
            await orders.migrate()
        yield orders
    finally:
        await orders.close()


def read_order_file(settings: Settings, path: Path) -> "OrderFile":
    """Raises BadOrderFile, NotFound."""
    from adapters.orders.file import parse

    try:
        return parse(path.read_bytes(), settings.tz)
    except OSError as error:
        raise NotFound(f"cannot read this file: {error.strerror or error}") from None


async def migrate(settings: Settings) -> None:
    """Brings both databases up to date, whatever state they are in."""
    from adapters.storage import migrate as storage

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    await storage.upgrade(settings.database)
    async with opened_orders(settings):
        pass


def open_copies(settings: Settings) -> "Copies":
    """To fill the store of a benchmark."""
    from adapters.storage.copies import Copies

    return Copies(settings.database)


async def check_databases(settings: Settings) -> None:
    """Raises Unavailable where a database is older than this program."""
    from adapters.storage import migrate as storage

    async with opened_orders(settings, migrated=False) as orders:
        current = await storage.is_current(settings.database) and await orders.is_current()
    if not current:
        raise Unavailable("the databases are older than this Shotdesk: run 'shotdesk migrate' first")


def load_classifier(settings: Settings) -> Classifier:
    """Trained from the example files when these have changed, else from the cache."""
    from adapters.classifier import load

    return load(files("intents"), settings.home / "classifier", INSTALLED / "classifier")


@asynccontextmanager
async def open_readers(
    settings: Settings, clock: Clock, *, warm: bool = False
) -> AsyncIterator[Sequence[ScreenReader]]:
    """The readers, the best rung first: the vision-language model where one is configured, then OCR.

    ``warm``: make the embedded reader ready in the background, so that no customer waits for it.
    """
    from adapters.readers.ocr.embedded import EmbeddedReader

    ocr = EmbeddedReader(clock)
    readers: list[ScreenReader] = [ocr]
    async with AsyncExitStack() as stack:
        if warm:
            warming = asyncio.create_task(asyncio.to_thread(ocr.warm_up))
            stack.push_async_callback(asyncio.wait, {warming})
        if options := settings.adapters.get("vl"):
            from adapters.readers.vl import VlOptions, VlReader

            try:
                model = VlReader(VlOptions.model_validate(options), clock)
            except ValidationError as error:
                raise BadSettings(explain(error, f"{PREFIX}VL_")) from None
            stack.push_async_callback(model.aclose)
            readers.insert(0, model)
        yield readers


def load_handlers() -> Mapping[IntentName, Handler]:
    """The handler of every intent, from its folder; an intent without one hands over honestly."""
    found: dict[IntentName, Handler] = {name: Handler(name, _hand_over) for name in INTENTS}
    for folder in _intent_folders():
        if folder.joinpath("handler.py").is_file():
            module = import_module(f"intents.{folder.name}.handler")
            for handler in vars(module).values():
                if isinstance(handler, Handler):
                    found[handler.intent] = handler
    return found


async def _hand_over(ask: Ask) -> Outcome:
    return ask.hand_off("no_answer", "not_yet")


def replies() -> list[tuple[str, Traversable]]:
    """Every ``replies.yml`` with its scope: an intent, or what all share."""
    scopes = [(SHARED, files("intents").joinpath("replies.yml"))]
    for folder in _intent_folders():
        file = folder.joinpath("replies.yml")
        if file.is_file():
            scopes.append((folder.name, file))
    return scopes


def _intent_folders() -> list[Traversable]:
    folders = [f for f in files("intents").iterdir() if f.is_dir() and f.name in INTENTS]
    return sorted(folders, key=lambda f: f.name)


def new_id() -> str:
    """128 bits that nobody can guess, fit for a file name and a URL."""
    return secrets.token_urlsafe(16)


class DemoShop:
    """The demo shop, with its records as of today, and its sample screenshots, drawn into ``folder``."""

    def __init__(self, shop: "OrderFile", now: datetime, folder: Path) -> None:
        from adapters.orders.demo.screenshots import SAMPLES

        self._shop, self._now, self.folder = shop, now, folder
        self.samples: Sequence[Sample] = SAMPLES

    async def draw(self, *samples: "Sample") -> Sequence["Screenshot"]:
        """Draws some samples."""
        from adapters.orders.demo.screenshots import screenshots

        drawn = await asyncio.to_thread(screenshots, self._shop, self._now, samples)
        await asyncio.to_thread(_write_samples, self.folder, drawn)
        return drawn


async def open_demo_shop(settings: Settings, folder: Path) -> DemoShop:
    """Puts the demo shop's records, as of today, into the order store."""
    from adapters.orders.demo.shop import open_demo_shop

    now = settings.clock()()
    async with opened_orders(settings) as orders:
        return DemoShop(await open_demo_shop(orders, now), now, folder)


def _write_samples(folder: Path, samples: Sequence["Screenshot"]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for sample in samples:
        (folder / sample.name).write_bytes(sample.data)
