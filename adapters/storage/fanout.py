"""Live news to whoever watches a session: one connection a process, however many watch."""

import asyncio
import logging
import weakref
from collections.abc import Callable

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError

from adapters.storage import keys
from bot.domain.ports import Live
from bot.domain.vocabulary import SessionId

log = logging.getLogger(__name__)

LOOK = Live("entry")
"""Look into the log: something may have been missed."""

NEWS: TypeAdapter[Live] = TypeAdapter(Live)

_UNREAD = 64
"""News that one watcher may leave unread; then they give way to one look into the log."""

_QUIET = 15.0
"""Seconds without a word, after which the connection is asked whether it lives."""


class Watch:
    """One watcher's news. To stop watching, let go of it."""

    def __init__(self) -> None:
        self._unread: asyncio.Queue[Live] = asyncio.Queue(_UNREAD)

    def tell(self, live: Live) -> None:
        if self._unread.full():
            while not self._unread.empty():
                self._unread.get_nowait()
            live = LOOK
        self._unread.put_nowait(live)

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Live:
        return await self._unread.get()


class Fanout:
    """Keeps a subscription for each watched session, over outages too.

    After each (new) beginning of a subscription its watchers are told to look into the log: thus nothing
    falls between their last look and the first news.
    """

    def __init__(self, client: Redis, pause: float, failed: Callable[[], None]) -> None:
        self._client = client
        self._pause = pause
        self._failed = failed
        self._watches: dict[SessionId, weakref.WeakSet[Watch]] = {}
        self._changed: set[SessionId] = set()
        self._has_changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, session: SessionId) -> Watch:
        watch = Watch()
        weakref.finalize(watch, self._change, session).atexit = False
        if session in self._watches:
            watch.tell(LOOK)
        self._watches.setdefault(session, weakref.WeakSet()).add(watch)
        self._change(session)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return watch

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _change(self, session: SessionId) -> None:
        self._changed.add(session)
        self._has_changed.set()

    async def _run(self) -> None:
        while True:
            try:
                async with self._client.pubsub() as pubsub:
                    await self._serve(pubsub)
            except* Exception as errors:  # whatever a broken connection raises: watchers must hear again
                log.warning("live news are interrupted: %r", errors.exceptions[0])
                self._failed()
                self._let_all_look()
            await asyncio.sleep(self._pause)

    def _let_all_look(self) -> None:
        """As often as the connection is tried again: an outage makes watching slow, not blind."""
        for watches in tuple(self._watches.values()):
            for watch in tuple(watches):
                watch.tell(LOOK)

    async def _serve(self, pubsub: PubSub) -> None:
        """Until the connection breaks."""
        await pubsub.subscribe(keys.EVERYBODY)
        for session in self._watches:
            self._change(session)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._subscribe(pubsub))
            both.create_task(self._listen(pubsub))

    async def _subscribe(self, pubsub: PubSub) -> None:
        subscribed: set[SessionId] = set()
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            changed, self._changed = self._changed, set()
            wanted = {session for session in changed if self._is_watched(session)}
            if joining := wanted - subscribed:
                await pubsub.subscribe(*map(keys.live, joining))
            if leaving := (changed - wanted) & subscribed:
                await pubsub.unsubscribe(*map(keys.live, leaving))
            subscribed = (subscribed | joining) - leaving

    def _is_watched(self, session: SessionId) -> bool:
        if self._watches.get(session):
            return True
        self._watches.pop(session, None)
        return False

    async def _listen(self, pubsub: PubSub) -> None:
        asked = False
        while True:
            news = await pubsub.get_message(timeout=_QUIET)
            if news is None and asked:
                raise ConnectionError("no word from Redis")
            asked = news is None
            if news is None:
                await pubsub.ping()
            elif news["type"] == "subscribe":
                self._tell(news["channel"], LOOK)
            elif news["type"] == "message":
                self._pass_on(news["channel"], news["data"])

    def _pass_on(self, channel: str, data: str) -> None:
        try:
            self._tell(channel, NEWS.validate_json(data))
        except ValidationError:  # of another release of this program
            self._tell(channel, LOOK)

    def _tell(self, channel: str, live: Live) -> None:
        session = keys.session_of(channel)
        if session is not None:
            for watch in self._watches.get(session, ()):
                watch.tell(live)
