"""``shotdesk`` as a process of its own."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from bot.cli import main; main(prog_name='shotdesk')")
PATIENCE = 120.0
"""Seconds that a process may take to start on a busy machine."""


@dataclass
class Started:
    """``errors`` are the lines of its standard error so far."""

    process: Process
    errors: list[str] = field(default_factory=list)

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of that name in its log."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stderr.readline()).decode():
                self.errors.append(line)
                if line.startswith("{") and (event := json.loads(line))["event"] == name:
                    return dict(event)
        raise AssertionError("".join(self.errors))

    async def until(self, text: str) -> str:
        """The line of its standard output that holds a text."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                if text in line:
                    return line
        raise AssertionError(f"it has not said {text!r}")

    async def terminate(self) -> int:
        """Tells it to stop, by SIGTERM; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            _, errors = await self.process.communicate()
        self.errors += errors.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def started(home: Path, *arguments: str, **settings: str) -> AsyncIterator[Started]:
    """``settings`` as in the environment, without their prefix."""
    own = {f"SHOTDESK_{name.upper()}": value for name, value in {"home": str(home), **settings}.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOTDESK_")}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=kept | {"PYTHONPATH": str(ROOT)} | own, stdout=PIPE, stderr=PIPE
    )
    run = Started(process)
    try:
        yield run
    finally:
        if process.returncode is None:  # told, not killed: it takes its Valkey along
            await run.terminate()


async def refused(home: Path, *arguments: str, **settings: str) -> str:
    """What a process that does not start says, in one line without a trace."""
    async with started(home, *arguments, **settings) as run:
        assert await run.ended() == 1
        (line,) = run.errors
        return line
