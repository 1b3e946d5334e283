"""Commands of one moment go to Redis in one round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

Command = Sequence[Any]


class Pipelined:
    """While one round trip is under way, the next one gathers: the more sessions, the less each one costs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def run(self, *commands: Command) -> list[Any]:
        """The answers, in order. The commands stand one after the other, but are no transaction.

        Raises RedisError, OSError.
        """
        answers: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, answers))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return await answers

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await self._round_trip(waiting)
            finally:
                for _, answers in waiting:
                    answers.cancel()  # has no effect on what was answered

    async def _round_trip(
        self, waiting: Sequence[tuple[Sequence[Command], asyncio.Future[list[Any]]]]
    ) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for commands, _ in waiting:
            for command in commands:
                pipeline.execute_command(*command)
        try:
            values = iter(await pipeline.execute(raise_on_error=False))
        except (RedisError, OSError) as error:
            values = iter([error] * sum(len(commands) for commands, _ in waiting))
        for commands, answers in waiting:
            _answer(answers, [next(values) for _ in commands])


def _answer(answers: asyncio.Future[list[Any]], values: list[Any]) -> None:
    if answers.done():  # whoever asked has given up
        return
    error = next((value for value in values if isinstance(value, Exception)), None)
    if error is None:
        answers.set_result(values)
    else:
        answers.set_exception(error)
