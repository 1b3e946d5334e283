"""One decoding process, and how to talk to it."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from signal import SIGXCPU
from typing import Any

CHILD = Path(__file__).with_name("child.py")
KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "HOME")
STARTS_WITHIN = 20.0


class WorkerDied(Exception):
    """The process ended, by itself or by its limits."""


class Worker:
    """A decoding process. After any exception it is of no use any more."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, memory: int, seconds: int) -> "Worker":
        """Raises OSError or WorkerDied where no process can be had, TimeoutError where none gets ready."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(CHILD), str(memory), str(seconds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # None of the service's secrets in reach of a broken decoder.
            env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                await worker._answer()
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def ask(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Raises WorkerDied."""
        try:
            self.stdin.write(json.dumps(job | {"size": len(data)}).encode() + b"\n")
            self.stdin.write(data)
            await self.stdin.drain()
            return await self._answer()
        except (ConnectionError, BrokenPipeError) as error:
            raise WorkerDied from error

    async def _answer(self) -> tuple[dict[str, Any], bytes]:
        try:
            head: dict[str, Any] = json.loads(await self.stdout.readuntil(b"\n"))
            return head, await self.stdout.readexactly(head["size"])
        except asyncio.IncompleteReadError as error:
            raise WorkerDied from error

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.stdin.close()
        await self.process.wait()

    @property
    def ran_out_of_time(self) -> bool:
        """Whether the system ended it for using up its processor time; known once it was killed."""
        return self.process.returncode == -SIGXCPU
