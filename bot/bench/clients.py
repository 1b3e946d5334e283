"""Customers' ends, in a process of their own: real sockets that ask and wait for their answers.

Hears a plan a line, says ``ready`` when its sockets are open, and what it measured when it is told to go.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import count, islice
from time import perf_counter
from typing import Any, Literal

from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bot.bench.everyday import everyday
from bot.domain.base import Model
from bot.doors.widget import sign

ANSWERED_WITHIN = 30.0
"""Seconds."""

OPENED_AT_ONCE = 50


class Plan(Model):
    """``clients`` ask side by side, ``turns`` in all; a session is asked ``a_session`` times at most.

    ``kind`` is what is spoken to: the bot, or the floor, which gives back what it is sent.
    ``sessions``: go on with these; without, each socket is a new one.
    """

    address: str
    kind: Literal["bot", "floor"]
    clients: int
    turns: int
    a_session: int
    secret: str = ""
    seed: int = 0
    sessions: tuple[str, ...] = ()


class Measured(Model):
    """``latencies`` in milliseconds, from a message sent to its answer; ``seconds`` of the whole."""

    latencies: tuple[float, ...]
    seconds: float
    failed: int

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.latencies else 0.0


MEASURED: TypeAdapter[Measured] = TypeAdapter(Measured)


class Customer:
    """One socket."""

    def __init__(self, socket: ClientConnection, number: int, plan: Plan) -> None:
        self._socket, self._plan, self._ids = socket, plan, count()
        self._questions = everyday().asked(plan.seed + number)
        self._number = number

    async def greet(self, session: str | None = None) -> None:
        """The floor knows no greeting."""
        if self._plan.kind == "floor":
            return
        customers = everyday().customers
        customer = customers[self._number % len(customers)]
        hello: dict[str, Any] = {"type": "hello", "customer": customer, "last_seq": 2**31 - 1}
        if session:
            hello["session"] = session
        hello["signature"] = sign(customer, self._plan.secret)
        await self._socket.send(json.dumps(hello))
        heard = json.loads(await self._socket.recv())
        if heard["type"] != "hello":
            raise RuntimeError(f"the bot answered {heard}")

    async def ask(self) -> float:
        """Milliseconds until the answer."""
        frame = {"type": "message", "client_id": str(next(self._ids)), "text": next(self._questions)}
        sent = json.dumps(frame, ensure_ascii=False)
        began = perf_counter()
        async with asyncio.timeout(ANSWERED_WITHIN):
            await self._socket.send(sent)
            while not self._answers(await self._socket.recv()):
                pass
        return (perf_counter() - began) * 1000

    def _answers(self, heard: str | bytes) -> bool:
        frame = json.loads(heard)
        if frame["type"] == "error":
            raise RuntimeError(f"the bot answered {frame}")
        return bool(frame["type"] == "message" and frame.get("from", "bot") == "bot")


class Clients:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._failed = 0

    async def run(self) -> None:
        plan = self._plan
        async with AsyncExitStack() as stack:
            sockets = await self._open(stack, -(-plan.turns // plan.a_session))
            _say({"ready": len(sockets)})
            await _line()
            began = perf_counter()
            shares = [sockets[first :: plan.clients] for first in range(min(plan.clients, len(sockets)))]
            asked = await asyncio.gather(
                *(self._client(share, plan.turns // len(shares)) for share in shares)
            )
            seconds = perf_counter() - began
        measured = Measured(
            latencies=tuple(t for a in asked for t in a), seconds=seconds, failed=self._failed
        )
        _say(measured.model_dump())

    async def _open(self, stack: AsyncExitStack, sockets: int) -> Sequence[Customer]:
        address = self._plan.address.replace("http", "ws", 1) + "/ws"
        few = asyncio.Semaphore(OPENED_AT_ONCE)

        async def one(number: int) -> Customer:
            async with few:
                socket = await stack.enter_async_context(connect(address, compression=None, max_size=None))
                customer = Customer(socket, number, self._plan)
                named = self._plan.sessions
                await customer.greet(named[number] if number < len(named) else None)
                return customer

        return await asyncio.gather(*(one(number) for number in range(max(sockets, self._plan.clients))))

    async def _client(self, sockets: Sequence[Customer], turns: int) -> list[float]:
        """Asks in one socket after the other, round and round: nobody types without end."""
        latencies = []
        for customer in islice(_round(sockets), turns):
            try:
                latencies.append(await customer.ask())
            except (TimeoutError, RuntimeError, OSError, WebSocketException) as error:
                self._failed += 1
                print(f"clients: {error!r}", file=sys.stderr)
        return latencies


def _round(sockets: Sequence[Customer]) -> Iterator[Customer]:
    while True:
        yield from sockets


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


async def _line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


async def main() -> None:
    """Plan after plan, until standard input ends."""
    while line := await _line():
        await Clients(Plan.model_validate_json(line)).run()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
