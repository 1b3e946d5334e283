"""Failpoints: before and after each verb of each port a process can be killed, stopped, failed or made slow.

What is to happen where stands on a board, in memory that the driver and all bots share: so that a bot can be
armed again while it lives, and its counts outlive it.
"""

import asyncio
import collections.abc
import inspect
import mmap
import os
import signal
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

from bot.domain.errors import ReaderDown, Unavailable
from bot.domain.ports import (
    Channel,
    MediaStore,
    OrderSystem,
    PictureTool,
    ScreenReader,
    SessionCache,
    Store,
)

Port = TypeVar("Port")

PORTS: Mapping[str, type] = {
    "store": Store,
    "cache": SessionCache,
    "media": MediaStore,
    "pictures": PictureTool,
    "reader.scripted": ScreenReader,
    "orders": OrderSystem,
    "channel.web": Channel,
}

SIDES = ("before", "after")


class Blow(IntEnum):
    """What happens at a failpoint."""

    KILL = 1
    PAUSE = 2
    """Until the driver lets the process go on, which is after its leases have run out."""
    ERROR = 3
    """The port's own error; ``after`` the verb: it was done and the answer got lost."""
    SLOW = 4


def _is_stream(verb: Any) -> bool:
    hints = typing.get_type_hints(verb)
    return typing.get_origin(hints.get("return")) is collections.abc.AsyncIterator


def _verbs(port: type) -> dict[str, bool]:
    """The asynchronous verbs of a port, and whether each is a stream of items."""
    functions = {name: verb for name, verb in vars(port).items() if inspect.isfunction(verb)}
    return {
        name: not inspect.iscoroutinefunction(verb)
        for name, verb in functions.items()
        if inspect.iscoroutinefunction(verb) or _is_stream(verb)
    }


VERBS: Mapping[str, Mapping[str, bool]] = {name: _verbs(port) for name, port in PORTS.items()}

POINTS = tuple(
    f"{port}.{verb}:{side}" for port, verbs in VERBS.items() for verb in sorted(verbs) for side in SIDES
)
"""The name of each failpoint."""

_INDEX = {point: index for index, point in enumerate(POINTS)}
_BLOW, _COUNTDOWN, _HITS = range(3)
_CELL = 3
"""Numbers that each failpoint has in each slot."""

_SKEW, _CHANCE = range(2)
_DIALS = 2
"""Fractions that each slot has."""


class Board:
    """One row for each slot, in which one process at a time lives; it alone counts there."""

    def __init__(self, file: Path, slots: int) -> None:
        row = len(POINTS) * _CELL
        size = slots * (_DIALS * 8 + row * 4)
        with file.open("a+b") as shared:
            if os.fstat(shared.fileno()).st_size < size:
                shared.truncate(size)
            memory = memoryview(mmap.mmap(shared.fileno(), size))
        self.file, self.slots, self._row = file, slots, row
        self._dials = memory[: slots * _DIALS * 8].cast("d")
        self._cells = memory[slots * _DIALS * 8 :].cast("I")

    def arm(self, slot: int, point: str, blow: Blow, nth: int) -> bool:
        """At the ``nth`` hit from now. False where something else is armed there."""
        cell = self._cell(slot, point)
        if self._cells[cell + _BLOW]:
            return False
        self._cells[cell + _COUNTDOWN] = nth
        self._cells[cell + _BLOW] = blow
        return True

    def disarm(self) -> None:
        for slot in range(self.slots):
            self.set_chance(slot, 0.0)
            for point in POINTS:
                self._cells[self._cell(slot, point) + _BLOW] = 0

    def strike(self, slot: int, point: str) -> Blow | None:
        """Counts a hit; what is to happen at it."""
        cell = self._cell(slot, point)
        self._cells[cell + _HITS] += 1
        blow = self._cells[cell + _BLOW]
        if not blow:
            return None
        self._cells[cell + _COUNTDOWN] -= 1
        if self._cells[cell + _COUNTDOWN]:
            return None
        self._cells[cell + _BLOW] = 0
        return Blow(blow)

    def hits(self, point: str) -> int:
        return sum(self._cells[self._cell(slot, point) + _HITS] for slot in range(self.slots))

    def skew(self, slot: int) -> float:
        """Seconds by which a process's clock is wrong."""
        return self._dials[slot * _DIALS + _SKEW]

    def set_skew(self, slot: int, seconds: float) -> None:
        self._dials[slot * _DIALS + _SKEW] = seconds

    def chance(self, slot: int) -> float:
        """The probability with which something happens at any failpoint."""
        return self._dials[slot * _DIALS + _CHANCE]

    def set_chance(self, slot: int, chance: float) -> None:
        self._dials[slot * _DIALS + _CHANCE] = chance

    def _cell(self, slot: int, point: str) -> int:
        return slot * self._row + _INDEX[point] * _CELL


@dataclass(frozen=True, slots=True)
class Failpoints:
    """Stands at the ports of one process: the ``wrap`` of ``open_app``. ``report`` is told before the blow."""

    board: Board
    slot: int
    random: Random
    report: Callable[[str, Blow], None]
    slow: float
    """Seconds."""

    def __call__(self, name: str, port: Port) -> Port:
        return cast(Port, _Guarded(name, port, self.hit))

    async def hit(self, point: str) -> None:
        blow = self.board.strike(self.slot, point) or self._by_chance()
        if blow is None:
            return
        self.report(point, blow)
        match blow:
            case Blow.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Blow.PAUSE:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Blow.ERROR:
                raise ReaderDown if point.startswith("reader.") else Unavailable
            case Blow.SLOW:
                await asyncio.sleep(self.slow)

    def _by_chance(self) -> Blow | None:
        chance = self.board.chance(self.slot)
        return self.random.choice(tuple(Blow)) if chance and self.random.random() < chance else None


Hit = Callable[[str], Awaitable[None]]


class _Guarded:
    """A port with failpoints around its verbs; whatever else it has is passed through."""

    def __init__(self, name: str, port: object, hit: Hit) -> None:
        self._name, self._port, self._hit = name, port, hit

    def __getattr__(self, verb: str) -> Any:
        member = getattr(self._port, verb)
        is_stream = VERBS[self._name].get(verb)
        if is_stream is None:
            return member
        around = _around_items if is_stream else _around
        guarded = around(member, f"{self._name}.{verb}", self._hit)
        setattr(self, verb, guarded)
        return guarded


def _around(call: Callable[..., Awaitable[Any]], name: str, hit: Hit) -> Callable[..., Awaitable[Any]]:
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        await hit(f"{name}:before")
        result = await call(*args, **kwargs)
        await hit(f"{name}:after")
        return result

    return guarded


def _around_items(call: Callable[..., Any], name: str, hit: Hit) -> Callable[..., Any]:
    return lambda *args, **kwargs: _Items(call(*args, **kwargs), name, hit)


class _Items:
    """A stream with failpoints around each item. It holds the only reference to what it passes on."""

    def __init__(self, items: Any, name: str, hit: Hit) -> None:
        self._items, self._name, self._hit = items, name, hit

    def __aiter__(self) -> "_Items":
        return self

    async def __anext__(self) -> Any:
        await self._hit(f"{self._name}:before")
        item = await anext(self._items)
        await self._hit(f"{self._name}:after")
        return item
