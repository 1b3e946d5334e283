"""A sender hears in time whether its message is kept, whatever the database does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot.domain.errors import Unavailable

T = TypeVar("T")

ANSWERED_WITHIN = 2.0
"""Seconds until a sender hears something. The strictest platform gives up after 3 and sends the same again."""

_under_way: set[asyncio.Task[Any]] = set()
"""The event loop alone would forget them."""


async def in_time(work: Coroutine[Any, Any, T]) -> T:
    """What the work returns or raises; Unavailable where that takes too long, and it is called off.

    Calling off is not waited for: a database that hangs does not let go either. What the database has begun
    may still be kept, so that the sender must send the same again. A sender who goes away calls off nothing.
    """
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=ANSWERED_WITHIN)
    if not done:
        task.cancel()
        raise Unavailable
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be left to hear it
