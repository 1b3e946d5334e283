"""The bot under test: all of it real, but for its pace, its clock's skew and the reader of its pictures."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import ConfigDict, SecretStr

from bot.app import open_app
from bot.domain.pace import Pace
from bot.domain.ports import Classifier, Clock
from bot.domain.reading import Fact, Picture, Reading, Seen
from bot.serve import ended_by_sigterm, listening, say_complaints, serving
from bot.settings import Settings
from tests.chaos.drawing import told
from tests.chaos.failpoints import Blow, Board, Failpoints

SECRET = "widget-secret"
KEY = "api-key"


def _often(seconds: float, times: int) -> tuple[timedelta, ...]:
    return (timedelta(seconds=seconds),) * times


QUICK = Pace(
    turn_lease=timedelta(seconds=1.0),
    effect_lease=timedelta(seconds=1.0),
    reply_lease=timedelta(seconds=1.0),
    hold_within=timedelta(seconds=1),
    hold_after=timedelta(seconds=1),
    look_up_within=timedelta(seconds=2),
    look_up_again=(timedelta(seconds=0.2), timedelta(seconds=1)),
    down_after=1,
    act_within=timedelta(seconds=0.5),
    act_again=_often(0.2, 200),
    send_within=timedelta(seconds=0.8),
    send_again=_often(0.1, 200),
    sweep=timedelta(seconds=0.4),
    clean=timedelta(seconds=2),
    redis_pause=timedelta(seconds=0.1),
    grace=timedelta(seconds=2),
)
"""Short leases, so that a campaign does not wait for them; and nothing is given up because of its faults."""

PAUSE = 1.5
"""Seconds for which a process is stopped: beyond each of its leases."""

SLOW = 0.4
"""Seconds of a slow answer: longer than a third of a lease, so that it is renewed."""


@dataclass(frozen=True, slots=True)
class Birth:
    """A bot to be started. ``random`` seeds what happens to it by chance."""

    slot: int
    role: str
    port: int
    home: str
    random: str
    redis_url: str | None = None
    database_url: str | None = None
    orders_url: str | None = None

    def placed(self, slot: int, role: str, port: int, random: str) -> "Birth":
        return replace(self, slot=slot, role=role, port=port, random=random)


class Skewed(Settings):
    """Settings with a clock that can be wrong by so many seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    skew: Callable[[], float]

    def clock(self) -> Clock:
        zone, skew = self.tz, self.skew
        return lambda: datetime.now(zone) + timedelta(seconds=skew())


class ScriptedReader:
    """Reads the order that a picture of ours shows."""

    name = "scripted"

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        return Seen(tuple(_reading(told(picture.data)) for picture in pictures))


def _reading(order: str) -> Reading:
    number = Fact(name="order_no", value=order, unit=None, text=order, box=(0, 0, 9, 9), confidence=0.98)
    return Reading(page="order_detail", language="zh", facts=(number,), reader=ScriptedReader.name)


def settings_of(birth: Birth, skew: Callable[[], float] = float) -> Settings:
    return Skewed(
        home=Path(birth.home),
        port=birth.port,
        widget_secret=SecretStr(SECRET),
        api_keys=(SecretStr(KEY),),
        redis_url=birth.redis_url,
        database_url=birth.database_url,
        orders_url=birth.orders_url,
        skew=skew,
    )


async def live(birth: Birth, board: Board, classifier: Classifier, report: Callable[..., None]) -> None:
    """As ``shotdesk serve`` lives, until SIGTERM. ``report`` hears of its readiness and of each blow."""

    def struck(point: str, blow: Blow) -> None:
        report(event="struck", point=point, blow=blow)

    failpoints = Failpoints(board, birth.slot, Random(birth.random), struck, SLOW)
    settings = settings_of(birth, lambda: board.skew(birth.slot))
    opened = open_app(
        settings, readers=[ScriptedReader()], classifier=classifier, pace=QUICK, wrap=failpoints
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, tell_where_it_stands)
    with ended_by_sigterm(), listening(settings) as listener:
        async with opened as app:
            await say_complaints(app)
            async with serving(app, birth.role, listener) as running:
                report(event="ready")
                await running.end()


def tell_where_it_stands() -> None:
    """Into the log: what each task waits for, where something is stuck."""
    for task in asyncio.all_tasks():
        places = " < ".join(reversed([*_chain(task.get_coro())]))
        print(f"{task.get_name()} waits at {places}", file=sys.stderr, flush=True)


def _chain(coroutine: Any) -> Iterator[str]:
    """From the task's own coroutine to what it waits for."""
    while coroutine is not None:
        kind = next((kind for kind in ("cr", "ag", "gi") if hasattr(coroutine, f"{kind}_frame")), None)
        if kind is None:
            yield type(coroutine).__name__
            return
        if frame := getattr(coroutine, f"{kind}_frame"):
            yield f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
