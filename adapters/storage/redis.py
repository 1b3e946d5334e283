"""The living dialogue in Redis (6.2 and newer) or Valkey: all of it may be lost at any time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from time import monotonic, time
from typing import Any

from pydantic import ValidationError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, RedisError, ResponseError, TimeoutError

from adapters.storage import keys
from adapters.storage.fanout import LOOK, NEWS, Fanout
from adapters.storage.pipelined import Command, Pipelined
from bot.domain.base import Model
from bot.domain.errors import BadSettings, Unavailable
from bot.domain.ports import Live
from bot.domain.session import MEMORY, Dialogue
from bot.domain.vocabulary import PictureId, SessionId

_EXPECTED = timedelta(minutes=10)
"""Longer than any picture is expected."""

_BLOCK = 2.0
"""Seconds for which one look for wake-ups waits on the server."""

_HINTS = 10_000
"""Wake-ups that the stream keeps: older ones are left to the sweeper."""

_GROUP = "workers"


class _Remembered(Model):
    version: int
    dialogue: Dialogue


class RedisCache:
    """When Redis is away nothing fails: each verb does without, is counted in ``failures`` and recovers.

    After a failure Redis is left alone for ``pause``: a hung server must not delay every step of a turn.
    """

    def __init__(self, url: str, pause: timedelta = timedelta(seconds=0.3)) -> None:
        self.failures: Counter[str] = Counter()
        self._pause = pause.total_seconds()
        self._away_until = 0.0
        self._redis = _client(url, connections=10, patience=1.0, tries=2)
        self._pipelined = Pipelined(self._redis)
        self._blocking = _client(url, connections=20, patience=_BLOCK + 3, tries=0)
        self._fanout = Fanout(self._blocking, self._pause, lambda: self._count("watch"))
        self._unsaid: set[SessionId] = set()
        self._saying: asyncio.Task[None] | None = None

    async def close(self) -> None:
        await self._fanout.close()
        if self._saying is not None:
            self._saying.cancel()
            await asyncio.gather(self._saying, return_exceptions=True)
        await self._pipelined.close()
        await self._redis.aclose()
        await self._blocking.aclose()

    # the dialogue

    async def recall(self, session: SessionId, version: int) -> Dialogue | None:
        (text,) = await self._try("recall", ("GET", keys.dialogue(session))) or (None,)
        if text is None:
            return None
        try:
            remembered = _Remembered.model_validate_json(text)
        except ValidationError:  # of another release of this program
            return None
        return remembered.dialogue if remembered.version == version else None

    async def remember(self, session: SessionId, version: int, dialogue: Dialogue) -> None:
        text = _Remembered(version=version, dialogue=dialogue).model_dump_json(round_trip=True)
        await self._try("remember", ("SET", keys.dialogue(session), text, "EX", int(MEMORY.total_seconds())))

    # wake-ups

    async def wake(self, session: SessionId) -> None:
        await self._try("wake", ("XADD", keys.WAKE, "MAXLEN", "~", _HINTS, "*", "session", session))

    async def wakeups(self) -> AsyncIterator[SessionId]:
        while True:
            try:
                for session in await self._next_hints():
                    yield session
            except ResponseError:  # there is no group, or not any more
                await self._make_group()
            except (RedisError, OSError):
                self._count("wakeups")
                await asyncio.sleep(self._pause)

    async def _next_hints(self) -> list[SessionId]:
        """At most one, so that idle workers share the work; taken as done at once, as it is only a hint."""
        news: dict[Any, Any] = {keys.WAKE: ">"}
        streams: Any = await self._blocking.xreadgroup(
            _GROUP, "any", news, count=1, block=int(_BLOCK * 1000), noack=True
        )
        return [SessionId(hint["session"]) for _, hints in streams or () for _, hint in hints]

    async def _make_group(self) -> None:
        try:
            await self._blocking.xgroup_create(keys.WAKE, _GROUP, id="0", mkstream=True)
        except (RedisError, OSError) as error:
            if "BUSYGROUP" not in str(error):
                self._count("wakeups")
            await asyncio.sleep(self._pause)

    # fan-out

    async def announce(self, session: SessionId, live: Live) -> None:
        if not await self._publish(session, live):
            self._unsaid.add(session)
            if self._saying is None or self._saying.done():
                self._saying = asyncio.create_task(self._say_at_last())

    async def _publish(self, session: SessionId, live: Live) -> bool:
        news = NEWS.dump_json(live)
        return await self._try("announce", ("PUBLISH", keys.live(session), news)) is not None

    async def _say_at_last(self) -> None:
        """Watchers whose own connection held would wait for ever for what could not be announced."""
        while self._unsaid:
            await asyncio.sleep(self._pause)
            for session in tuple(self._unsaid):
                if not await self._publish(session, LOOK):
                    break
                self._unsaid.discard(session)

    def watch(self, session: SessionId) -> AsyncIterator[Live]:
        return self._fanout.watch(session)

    # uploads and limits

    async def expect_picture(self, session: SessionId, id: PictureId, within: timedelta | None) -> None:
        key = keys.expected(session)
        if within is None:
            await self._try("expect_picture", ("ZREM", key, id))
            return
        until = time() + within.total_seconds()
        forgotten = ("EXPIRE", key, int(_EXPECTED.total_seconds()))
        await self._try("expect_picture", ("ZADD", key, until, id), forgotten)

    async def expects_picture(self, session: SessionId) -> bool:
        key = keys.expected(session)
        counted = await self._try("expects_picture", ("ZCOUNT", key, time(), "+inf"))
        return bool(counted and counted[0])

    async def allow(self, what: str, limit: int, per: timedelta) -> bool:
        key = keys.uses(what)
        begin = ("SET", key, 0, "PX", int(per.total_seconds() * 1000), "NX")
        counted = await self._try("allow", begin, ("INCR", key))
        return counted is None or counted[1] <= limit

    # health

    async def ping(self) -> None:
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise Unavailable("Redis does not answer now; please try again in a moment.") from error

    async def complaints(self) -> Sequence[str]:
        names = ("maxmemory-policy", "appendonly", "appendfsync")
        try:
            settings = await self._redis.config_get(*names)
        except ResponseError:
            return ["Redis does not show its settings: check that it evicts nothing and keeps an AOF."]
        except (RedisError, OSError):
            return ["Redis does not answer: start it, or correct its address."]
        return _complaints(settings)

    # when it is away

    async def _try(self, verb: str, *commands: Command) -> list[Any] | None:
        """The answers; None while Redis is away."""
        if monotonic() < self._away_until:
            self._count(verb)
            return None
        try:
            return await self._pipelined.run(*commands)
        except (RedisError, OSError):
            self._count(verb)
            self._away_until = monotonic() + self._pause
            return None

    def _count(self, verb: str) -> None:
        self.failures[verb] += 1


def _client(url: str, connections: int, patience: float, tries: int) -> Redis:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=patience,
            decode_responses=True,
            protocol=2,
            socket_timeout=patience,
            socket_connect_timeout=1.0,
            retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), tries),
            retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
            health_check_interval=15,
        )
    except ValueError:
        raise BadSettings("Redis's address begins with redis://, rediss:// or unix://") from None
    return Redis.from_pool(pool)


def _complaints(settings: Mapping[Any, Any]) -> list[str]:
    found = []
    if settings.get("maxmemory-policy") != "noeviction":
        found.append("Redis may throw away dialogues when memory is short: set maxmemory-policy noeviction.")
    if settings.get("appendonly") != "yes":
        found.append("Redis forgets dialogues and wake-ups when it restarts: set appendonly yes.")
    elif settings.get("appendfsync") == "no":
        found.append("Redis can lose half a minute of dialogue in a power cut: set appendfsync everysec.")
    return found
