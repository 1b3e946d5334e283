"""A customer behind a widget: what is said is kept once, what is shown is shown once and in order.

It does what every widget must: it gives each message a ``client_id`` and sends it again until it is accepted,
connects again whenever the socket breaks, goes on from the last line that it has, and shows a line once. And
it writes down what no customer may ever see.
"""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Literal, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bot.doors.widget import sign
from tests.screen import Frame as Frame
from tests.screen import Line as Line
from tests.screen import Screen as Screen

ACCEPTED_WITHIN = 5.0
"""Seconds after which a message that was not accepted is sent again, at most: less where a customer is
impatient, twice as long after each time."""

SILENT = 5.0
"""Seconds without a frame after which a socket on which something should come is given up."""

AGAIN_AFTER, AGAIN_AT_MOST = 0.05, 1.0
"""Seconds before a lost socket is opened again: twice as long after each failure, up to the second."""

BREATH = 0.5
"""Seconds before something is sent again that was refused for now."""

PATIENCE = 120.0
"""Seconds after which a customer gives up: no measure of anything."""

PASSING = {"unavailable", "too_many_requests", "too_slow"}
"""Errors after which the same may be sent again."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Refused(Exception):
    """The bot said no, for good."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a socket is torn: at its ``frame``-th frame of one way (from 1), before or after that frame."""

    way: Literal["sent", "received"]
    frame: int
    when: Literal["before", "after"]


def random_cuts(random: Random, frames: int = 8) -> Iterator[Cut]:
    """A cut for each new socket, without end. Less is sent than received."""
    while True:
        way: Literal["sent", "received"] = random.choice(("sent", "received"))
        frame = random.randint(1, frames if way == "received" else 3)
        yield Cut(way, frame, random.choice(("before", "after")))


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

    ``cuts`` says for each new socket where it is torn, ``accepted_within`` how soon the same is sent again.
    """

    def __init__(
        self,
        address: str,
        *,
        customer: str | None = None,
        secret: str = "",
        session: str | None = None,
        cuts: Iterable[Cut | None] = (),
        accepted_within: float = ACCEPTED_WITHIN,
        random: Random | None = None,
    ) -> None:
        self.address, self.session = address, session
        self.screen = Screen()
        self.sockets = self.resent = self.refetches = self.refusals = 0
        self.cuts = Counter[Cut]()
        self._signed = {"customer": customer, "signature": sign(customer, secret)} if customer else {}
        self._planned = iter(cuts)
        self._accepted_within = accepted_within
        self._random = random or Random()
        self._unaccepted: dict[str, Frame] = {}
        self._outcomes: dict[str, int | Refused | None] = {}
        """What became of a message: its number, a no, or None for "not now"."""
        self._pages: dict[int, list[Line]] = {}
        self._elsewhere = False
        """The bot has gone on from another line than ours: it must say so at once."""
        self._heard_at = 0.0
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
        while self._staying and not self._staying.done():
            self._staying.cancel()  # which Python 3.11 may lose, where a wait ends in the same moment
            await asyncio.wait({self._staying}, timeout=1)

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
                within = self._accepted_within
                while (seq := await self._outcome(id, within)) is None:
                    within = min(2 * within, ACCEPTED_WITHIN)
                    self.resent += 1
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

    async def history(self, before: int) -> list[Line]:
        """The page of the session's lines that come before the line ``before``."""
        self._pages.pop(before, None)
        async with asyncio.timeout(PATIENCE):
            while before not in self._pages:
                await self._send({"type": "history", "before": before})
                with suppress(TimeoutError):
                    await self._until(lambda: before in self._pages, ACCEPTED_WITHIN)
        return self._pages[before]

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
                        if cut and wire.was_cut:
                            self.cuts[cut] += 1
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
                    self.resent += 1
                    await wire.send(unaccepted)
            async with self._news:
                self._news.notify_all()

    def _take(self, frame: Frame) -> None:
        self._heard_at = time.monotonic()
        if self._elsewhere and frame.get("code") != "refetch":
            self.screen.faults.append("the bot went on elsewhere without a word")
        self._elsewhere = False
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
            case "history":
                self._pages[frame["before"]] = [Line.of(line) for line in frame["lines"]]
            case "error":
                self._hear(frame)

    def _begin(self, hello: Frame) -> None:
        if self.session not in (None, hello["session"]):
            self.screen.faults.append(f"the bot went on in another session, {hello['session']}")
        self.session = hello["session"]
        self._elsewhere = not self.screen.goes_on(hello["after"], hello["last_seq"])

    def _hear(self, error: Frame) -> None:
        code = error["code"]
        if code == "refetch":
            self.refetches += 1
        elif id := error.get("client_id"):
            self.refusals += 1
            self._outcomes[id] = None if code in PASSING else Refused(f"{code}: {error['message']}")
        elif code not in PASSING:
            self.screen.faults.append(f"{code}: {error['message']}")

    async def _send(self, frame: Frame) -> None:
        """Over the socket that there is; a new one sends by itself what is not accepted."""
        if self._wire:
            with suppress(OSError, ConnectionClosed):
                await self._wire.send(frame)

    async def _outcome(self, id: str, within: float) -> int | None:
        """The number of a message, once it is accepted. None: it is to be sent again. Raises Refused."""
        try:
            await self._until(lambda: id in self._outcomes, within)
        except TimeoutError:
            if time.monotonic() - self._heard_at > SILENT:
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
