"""A customer behind a widget: what is said is kept once, what is shown is shown once and in order.

It does what every widget must: it gives each message a ``client_id`` and sends it again until it is accepted,
connects again whenever the socket breaks, goes on from the last line that it has, and shows a line once. And
it writes down what no customer may ever see.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bot.doors.widget import sign

ACCEPTED_WITHIN = 5.0
"""Seconds after which a message that was not accepted is sent again; the second time over a new socket."""

AGAIN_AFTER, AGAIN_AT_MOST = 0.05, 1.0
"""Seconds before a lost socket is opened again: twice as long after each failure, up to the second."""

BREATH = 0.5
"""Seconds before something is sent again that was refused for now."""

PATIENCE = 60.0
"""Seconds after which a customer gives up: no measure of anything."""

PASSING = {"unavailable", "too_many_requests", "too_slow"}
"""Errors after which the same may be sent again."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Frame = dict[str, Any]


class Refused(Exception):
    """The bot said no, for good."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a socket is torn: at its ``frame``-th frame of one way (from 1), before or after that frame."""

    way: Literal["sent", "received"]
    frame: int
    when: Literal["before", "after"]


def random_cuts(random: Random, frames: int = 6) -> Iterator[Cut]:
    """A cut for each new socket, without end."""
    while True:
        way: Literal["sent", "received"] = random.choice(("sent", "received"))
        yield Cut(way, random.randint(1, frames), random.choice(("before", "after")))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log. ``frame`` is all of it, as it came."""

    seq: int
    sender: str
    text: str
    client_id: str | None
    frame: Frame = field(repr=False)

    @classmethod
    def of(cls, frame: Frame) -> "Line":
        return cls(frame["seq"], frame["from"], frame["text"], frame.get("client_id"), frame)

    @property
    def is_answer(self) -> bool:
        return self.sender != "customer"


class Screen:
    """What a customer sees of a session.

    ``faults`` are sentences about what may never be seen; ``missing`` the numbers of lines that were left out
    without a word (a bot's line that a person's take-over made void may be among them).
    """

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.seqs: dict[str, int] = {}
        """The number of each message of this customer's, as ``accepted`` or its line said."""
        self.faults: list[str] = []
        self.missing: set[int] = set()
        self.last = 0

    def begin(self, after: int, last: int, *, announced: bool) -> None:
        """A hello: the lines after ``after`` follow. Elsewhere than where we are only if that was announced."""
        if announced:
            self.lines.clear()
            self.seqs.clear()
            self.last = after
        elif after != self.last or last < after:
            self.faults.append(
                f"we are at line {self.last}; the bot, at {last}, goes on from {after} unasked"
            )

    def accept(self, client_id: str, seq: int) -> None:
        if self.seqs.setdefault(client_id, seq) != seq:
            self.faults.append(f"message {client_id} was line {self.seqs[client_id]}, and now is {seq}")

    def show(self, line: Line) -> None:
        if line.seq <= self.last:
            same = self.lines.get(line.seq) == line
            self.faults.append(f"line {line.seq} came after {self.last}" + ("" if same else ": another one"))
            return
        self.missing.update(range(self.last + 1, line.seq))
        self.lines[line.seq] = line
        self.last = line.seq
        if line.client_id:
            self.accept(line.client_id, line.seq)

    def answer(self, seq: int) -> Line | None:
        """The first answer after the line ``seq``."""
        later = (line for line in self.lines.values() if line.seq > seq and line.is_answer)
        return min(later, key=lambda line: line.seq, default=None)


class Wire:
    """One socket, which breaks where it is told to."""

    def __init__(self, connection: ClientConnection, cut: Cut | None) -> None:
        self._connection, self._cut = connection, cut
        self._frames = {"sent": 0, "received": 0}
        self.was_cut = False

    async def send(self, frame: Frame) -> None:
        self._frames["sent"] += 1
        self._tear("sent", "before")
        await self._connection.send(json.dumps(frame, ensure_ascii=False))
        self._tear("sent", "after")

    async def frames(self) -> AsyncIterator[Frame]:
        """What comes. A cut before a frame loses it, one after it comes when it has been dealt with."""
        async for text in self._connection:
            self._frames["received"] += 1
            self._tear("received", "before")
            yield json.loads(text)
            self._tear("received", "after")

    def abort(self) -> None:
        self._connection.transport.abort()

    def _tear(self, way: Literal["sent", "received"], when: Literal["before", "after"]) -> None:
        if self._cut == Cut(way, self._frames[way], when):
            self.was_cut = True
            self.abort()
            raise ConnectionResetError("cut")


class Customer:
    """One tab of one customer; a second tab of the same session is another Customer with its ``session``.

    ``cuts`` says for each new socket where it is torn.
    """

    def __init__(
        self,
        address: str,
        *,
        customer: str | None = None,
        secret: str = "",
        session: str | None = None,
        cuts: Iterable[Cut | None] = (),
        random: Random | None = None,
    ) -> None:
        self.address, self.session = address, session
        self.screen = Screen()
        self.sockets = self.cuts = self.refetches = 0
        self._signed = {"customer": customer, "signature": sign(customer, secret)} if customer else {}
        self._planned = iter(cuts)
        self._random = random or Random()
        self._unaccepted: dict[str, Frame] = {}
        self._outcomes: dict[str, int | Refused | None] = {}
        """What became of a message: its number, a no, or None for "not now"."""
        self._refetch = False
        self._heard = 0
        self._wire: Wire | None = None
        self._news = asyncio.Condition()
        self._staying: asyncio.Task[None] | None = None

    @property
    def faults(self) -> list[str]:
        """What this customer should never have seen."""
        left_out = [f"line {seq} was left out" for seq in sorted(self.screen.missing)]
        return [f"{self.session}: {fault}" for fault in self.screen.faults + left_out]

    async def __aenter__(self) -> Self:
        """Once the first hello was answered."""
        self._staying = asyncio.create_task(self._stay_connected())
        await self._until(lambda: self.sockets > 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._staying:
            self._staying.cancel()
            await asyncio.wait({self._staying})

    # what the customer does

    async def say(self, text: str, pictures: Sequence[bytes] = ()) -> int:
        """Says it until it is accepted; returns its ``seq``. Raises Refused."""
        attachments = [await self.upload(picture) for picture in pictures]
        id = f"{self._random.getrandbits(64):016x}"
        message = {"type": "message", "client_id": id, "text": text, "attachments": attachments}
        self._unaccepted[id] = message
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(message)
                while (seq := await self._outcome(id)) is None:
                    await self._send(message)
            return seq
        finally:
            del self._unaccepted[id]

    async def ask(self, text: str, pictures: Sequence[bytes] = ()) -> Line:
        """Says it, and waits for the first answer after it."""
        return await self.answer(await self.say(text, pictures))

    async def answer(self, seq: int) -> Line:
        """The first answer after the line ``seq``."""
        await self._until(lambda: self.screen.answer(seq) is not None)
        answer = self.screen.answer(seq)
        assert answer
        return answer

    async def sees(self, seq: int) -> None:
        """Waits until the line ``seq`` is on the screen, or one after it."""
        await self._until(lambda: self.screen.last >= seq)

    async def upload(self, picture: bytes) -> str:
        """Uploads a picture until it is taken; returns its id. Raises Refused."""
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=self.address, verify=NO_TLS) as http:
            while True:
                with suppress(httpx.TransportError):
                    named = {"session": self.session} if self.session else {}
                    answer = await http.post("/v1/pictures", content=picture, params=named)
                    if answer.status_code == 201:
                        return str(answer.json()["id"])
                    if answer.json()["error"]["code"] not in PASSING:
                        raise Refused(answer.text)
                await asyncio.sleep(BREATH)

    def tear(self) -> None:
        """Cuts the socket now."""
        if self._wire:
            self._wire.abort()

    # what the widget does for it

    async def _stay_connected(self) -> None:
        pause = AGAIN_AFTER
        while True:
            url = self.address.replace("http", "ws", 1) + "/ws"  # it may have moved
            sockets, cut = self.sockets, next(self._planned, None)
            with suppress(OSError, TimeoutError, ConnectionClosed, InvalidHandshake):
                async with connect(url, max_size=None, compression=None, proxy=None) as connection:
                    wire = Wire(connection, cut)
                    try:
                        await self._talk(wire)
                    finally:
                        self._wire = None
                        self.cuts += wire.was_cut
            pause = AGAIN_AFTER if self.sockets > sockets else min(2 * pause, AGAIN_AT_MOST)
            await asyncio.sleep(pause * self._random.uniform(0.5, 1))

    async def _talk(self, wire: Wire) -> None:
        """Until the socket breaks."""
        named = {"session": self.session} if self.session else {}
        await wire.send({"type": "hello", "last_seq": self.screen.last, **named, **self._signed})
        async for frame in wire.frames():
            self._take(frame)
            if frame["type"] == "hello" and self._wire is None:
                self.sockets += 1
                self._wire = wire
                for unaccepted in tuple(self._unaccepted.values()):
                    await wire.send(unaccepted)
            async with self._news:
                self._news.notify_all()

    def _take(self, frame: Frame) -> None:
        self._heard += 1
        match frame["type"]:
            case "hello":
                self._begin(frame)
            case "accepted":
                self.screen.accept(frame["client_id"], frame["seq"])
                self._outcomes[frame["client_id"]] = frame["seq"]
            case "message":
                self.screen.show(line := Line.of(frame))
                if line.client_id:
                    self._outcomes[line.client_id] = line.seq
            case "error":
                self._hear(frame)

    def _begin(self, hello: Frame) -> None:
        if self.session not in (None, hello["session"]):
            self.screen.faults.append(f"the bot went on in another session, {hello['session']}")
        self.session = hello["session"]
        after = hello.get("after", self.screen.last)
        self.screen.begin(after, hello["last_seq"], announced=self._refetch)
        self._refetch = False

    def _hear(self, error: Frame) -> None:
        code = error["code"]
        if code == "refetch":
            self._refetch = True
            self.refetches += 1
        elif id := error.get("client_id"):
            self._outcomes[id] = None if code in PASSING else Refused(f"{code}: {error['message']}")
        elif code not in PASSING:
            self.screen.faults.append(f"{code}: {error['message']}")

    async def _send(self, frame: Frame) -> None:
        """Over the socket that there is; a new one sends by itself what is not accepted."""
        if self._wire:
            with suppress(OSError, ConnectionClosed):
                await self._wire.send(frame)

    async def _outcome(self, id: str) -> int | None:
        """The number of a message, once it is accepted. None: it is to be sent again. Raises Refused."""
        heard = self._heard
        try:
            await self._until(lambda: id in self._outcomes, ACCEPTED_WITHIN)
        except TimeoutError:
            if self._heard == heard:
                self.tear()  # there is nobody at the other end
            return None
        outcome = self._outcomes.pop(id)
        if isinstance(outcome, Refused):
            raise outcome
        if outcome is None:
            await asyncio.sleep(BREATH)
        return outcome

    async def _until(self, happened: Callable[[], bool], within: float = PATIENCE) -> None:
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(happened)
