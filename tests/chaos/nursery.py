"""Bots in their slots, from the driver's side: born by the zygote, and born again when they die."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos.bot import PAUSE, Birth
from tests.chaos.failpoints import Blow, Board

READY_WITHIN = 60.0
"""Seconds after which a bot that is not ready is a bug of the harness or of the bot."""

ENDED_WITHIN = 30.0
"""Seconds after which a bot that was told to stop should have: three times its grace, on a busy machine."""

Struck = Callable[["Slot", str, Blow], None]


@dataclass
class Slot:
    """A place in which one bot at a time lives. ``pid`` is 0 while it is being born."""

    birth: Birth
    pid: int = 0
    stopped: bool = False
    generation: int = 0
    wanted: bool = True
    """Whether a bot that ended is to be born again."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_there(self) -> bool:
        return self.ready.is_set() and not self.stopped

    @property
    def number(self) -> int:
        return self.birth.slot

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.birth.port}"


class Nursery:
    """Keeps a bot alive in every slot. ``struck`` is told of each blow at a failpoint."""

    def __init__(self, zygote: Process, slots: list[Slot], struck: Struck) -> None:
        self.slots = slots
        self.deaths = 0
        self._zygote, self._struck = zygote, struck
        self._of: dict[int, Slot] = {}
        self._later: set[asyncio.Task[None]] = set()

    @property
    def missing(self) -> int:
        """Bots that are being born or have been stopped."""
        return sum(not slot.is_there for slot in self.slots)

    async def start(self) -> None:
        """Until every bot is ready."""
        for slot in self.slots:
            self._bear(slot)
        await self.all_ready()

    async def all_ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN):
            for slot in self.slots:
                await slot.ready.wait()

    async def stop(self) -> list[Slot]:
        """As an operator stops them: SIGTERM, and what is under way is finished. Returns those that do not end."""
        for slot in self.slots:
            slot.wanted = False
            self.signal(slot, signal.SIGCONT)
            self.signal(slot, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDED_WITHIN):
                for slot in self.slots:
                    await slot.ended.wait()
        return [slot for slot in self.slots if not slot.ended.is_set()]

    def tell_where_they_stand(self) -> None:
        """Into their log."""
        for slot in self.slots:
            self.signal(slot, signal.SIGUSR2)

    def signal(self, slot: Slot, number: signal.Signals) -> bool:
        """False where nobody lives there now."""
        if not slot.pid:
            return False
        with suppress(ProcessLookupError):
            os.kill(slot.pid, number)
        return True

    async def listen(self) -> None:
        """Follows what the zygote and the bots report."""
        assert self._zygote.stdout
        async for line in self._zygote.stdout:
            self._hear(json.loads(line))

    def _hear(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "born":
                slot = self.slots[event["slot"]]
                slot.pid = event["child"]
                self._of[slot.pid] = slot
            case "ready" if slot := self._of.get(event["pid"]):
                slot.ready.set()
            case "struck" if slot := self._of.get(event["pid"]):
                self._struck(slot, event["point"], Blow(event["blow"]))
            case "stopped" if slot := self._of.get(event["child"]):
                slot.stopped = True
                self._soon(self._go_on(slot))
            case "died" if slot := self._of.pop(event["child"], None):
                self._died(slot)

    def _died(self, slot: Slot) -> None:
        self.deaths += 1
        slot.pid, slot.stopped = 0, False
        slot.ready.clear()
        slot.ended.set()
        if slot.wanted:
            self._bear(slot)

    def _bear(self, slot: Slot) -> None:
        assert self._zygote.stdin
        slot.generation += 1
        slot.ended.clear()
        random = f"{slot.birth.random}.{slot.generation}"
        birth = replace(slot.birth, random=random)
        self._zygote.stdin.write(json.dumps(asdict(birth)).encode() + b"\n")

    def _soon(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _go_on(self, slot: Slot) -> None:
        """When its leases have run out."""
        pid = slot.pid
        await asyncio.sleep(PAUSE)
        if slot.pid == pid:
            slot.stopped = False
            self.signal(slot, signal.SIGCONT)


@asynccontextmanager
async def nursery(
    births: list[Birth], board: Board, classifier: Path, log: Path, struck: Struck
) -> AsyncIterator[Nursery]:
    """A zygote that has loaded everything, and its bots, started and ready."""
    with log.open("ab") as errors:
        zygote = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.zygote"),
            *(str(board.file), str(board.slots), str(classifier)),
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
        )
    assert zygote.stdin
    zygote.stdin.write(json.dumps(asdict(births[0])).encode() + b"\n")  # the rehearsal
    bots = Nursery(zygote, [Slot(birth) for birth in births], struck)
    listening = asyncio.create_task(bots.listen())
    try:
        await bots.start()
        yield bots
    finally:
        zygote.stdin.close()
        await zygote.wait()
        await listening
