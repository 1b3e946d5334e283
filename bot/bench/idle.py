"""Idle sockets, in a process of their own: each says hello, is answered, and stays."""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bot.bench.everyday import everyday
from bot.domain.base import Model
from bot.doors.widget import sign

OPENED_AT_ONCE = 20
PATIENCE = 60.0
"""Seconds for a socket to open."""


class Held(Model):
    """``source`` is the address of this machine that the sockets come from: each has ports for some 28,000."""

    address: str
    sockets: int
    source: str
    secret: str


class Idle:
    def __init__(self, held: Held) -> None:
        self._held = held
        self._few = asyncio.Semaphore(OPENED_AT_ONCE)

    async def hold(self) -> None:
        """Opens the sockets, says how many, and holds them until it hears a line."""
        async with AsyncExitStack() as stack:
            opened = await asyncio.gather(
                *(self._open(number) for number in range(self._held.sockets)), return_exceptions=True
            )
            sockets = [each for each in opened if isinstance(each, ClientConnection)]
            for socket in sockets:
                stack.push_async_callback(socket.close)
            _say(open=len(sockets), first_error=_first_error(opened))
            await asyncio.to_thread(sys.stdin.readline)
            _say(open=sum(socket.state.name == "OPEN" for socket in sockets))

    async def _open(self, number: int) -> ClientConnection:
        customers = everyday().customers
        customer = customers[number % len(customers)]
        hello = {"type": "hello", "customer": customer, "signature": sign(customer, self._held.secret)}
        async with self._few:
            socket = await connect(
                self._held.address.replace("http", "ws", 1) + "/ws",
                compression=None,
                ping_interval=None,  # the server's pings are answered; 10,000 timers more are not needed
                open_timeout=PATIENCE,
                local_addr=(self._held.source, 0),
            )
            async with asyncio.timeout(PATIENCE):
                await socket.send(json.dumps(hello))
                heard = json.loads(await socket.recv())
        if heard["type"] != "hello":
            raise RuntimeError(f"the bot answered {heard}")
        return socket


def _first_error(opened: Sequence[ClientConnection | BaseException]) -> str | None:
    return next((repr(each) for each in opened if isinstance(each, BaseException)), None)


def _say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Idle(Held.model_validate_json(sys.stdin.readline())).hold())
