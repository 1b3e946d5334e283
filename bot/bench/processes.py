"""Processes of a benchmark: what they cost, by /proc, and children that speak a line at a time."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.errors import Unavailable

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds for a child's line; a classifier may have to be trained first."""

LINE = 64 * 1024 * 1024
"""Bytes that a child's line may have: latencies by the ten thousand."""

SERVERS = ("valkey-server", "redis-server", "postgres")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def require_proc() -> None:
    """Raises Unavailable where the kernel does not show what processes cost."""
    if not Path("/proc/self/stat").exists():
        raise Unavailable("the benchmarks read /proc: they run on Linux")


@dataclass(frozen=True, slots=True)
class Stat:
    """``seconds``: user and system time, of children that have ended too."""

    name: str
    parent: int
    seconds: float
    rss: int


def stat(pid: int) -> Stat | None:
    """None once the process has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    ticks = sum(int(field) for field in fields[11:15])
    return Stat(name, int(fields[1]), ticks / _TICKS, int(fields[21]) * _PAGE)


def family(pid: int) -> Iterator[Stat]:
    """A process and its descendants; but a server that the bot has started is not the bot's."""
    every = {int(each.name): stat(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()}
    children: dict[int, list[int]] = {}
    for id, found in every.items():
        if found:
            children.setdefault(found.parent, []).append(id)
    first = every.get(pid)
    apart = () if first and first.name in SERVERS else SERVERS
    waiting = [pid]
    while waiting:
        id = waiting.pop()
        found = every.get(id)
        if found and found.name not in apart:
            yield found
            waiting += children.get(id, ())


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process and its descendants have used."""
    return sum(each.seconds for each in family(pid))


def rss_of(pid: int) -> int:
    """Bytes of memory of a process and its descendants."""
    return sum(each.rss for each in family(pid))


@dataclass
class Child:
    """A module of ours in a process of its own. It says JSON lines, and hears them."""

    process: Process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def hear(self, within: float = PATIENCE) -> dict[str, Any]:
        """Its next line, within so many seconds. Raises Unavailable where it ended or is too late."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(within):
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise Unavailable("a process of the benchmark does not answer") from None
        if not line:
            raise Unavailable("a process of the benchmark has ended; its last words are above")
        heard: dict[str, Any] = json.loads(line)
        return heard

    async def say(self, line: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        await self.process.stdin.drain()

    async def ask(self, line: Mapping[str, Any]) -> dict[str, Any]:
        await self.say(line)
        return await self.hear()


@asynccontextmanager
async def child(module: str, environment: Mapping[str, str] = {}, *arguments: str) -> AsyncIterator[Child]:
    """Runs ``python -m module`` until the block ends. Its settings are ``environment`` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOTDESK_")}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=None,
        env={**kept, "PYTHONPATH": path, **environment},
        limit=LINE,
        start_new_session=True,  # a Ctrl-C is for the benchmark, which ends its children in their order
    )
    try:
        yield Child(process)
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(20):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
