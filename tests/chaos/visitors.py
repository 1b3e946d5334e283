"""Customers of a campaign: what they said, what they were told, and the platform that says things twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import httpx

from tests.chaos.bot import KEY, SECRET
from tests.chaos.drawing import drawn
from tests.chaos.shop import Step, name_of, talk
from tests.customer import BREATH, NO_TLS, PASSING, Customer, Frame, Refused, Wire

DOUBLED = 0.2
"""The part of messages that come twice."""

HONEST = ("系统这会儿出了点问题", "已经在为您排队", "这次操作一直没有成功", "这张图片我看不清")
"""What says that there is no answer now: after it a customer has a person's queue, and nothing more to ask."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was accepted as the line ``seq``. A fragment of a burst asks for no ``answer``."""

    client_id: str
    seq: int
    step: Step | None


@dataclass
class Account:
    """What one customer has to tell when all is over."""

    customer: int
    session: str = ""
    said: list[Said] = field(default_factory=list)
    lines: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    doubles: dict[str, int] = field(default_factory=dict)
    """What a platform that sent a message a second time was told, by its client's id."""
    waited: list[float] = field(default_factory=list)
    """Seconds until each answer."""


class Visitor(Customer):
    """A customer with a platform in between, which sends some messages twice, at once, to any of the bots."""

    def __init__(self, number: int, addresses: Sequence[str], random: Random) -> None:
        self.name = name_of(number)
        super().__init__(random.choice(addresses), customer=self.name, secret=SECRET, random=random)
        self.account = Account(number)
        self.doubled = 0
        self.asked: float | None = None
        """Since when an answer is waited for."""
        self._addresses = addresses
        self._seen: set[str] = set()
        self._posts: set[asyncio.Task[None]] = set()

    async def play(self, steps: Sequence[Step]) -> None:
        """Says it all, each step after the answer to the last; ends early where a person is to go on."""
        for step in steps:
            for fragment in step.before:
                await self._say(fragment, None)
            answer = await self._answer(await self._say(step.text, step), step)
            while step.is_asked_again(answer):
                answer = await self._answer(await self._say(step.text, step), step)
            if not step.is_answered(answer):
                return

    def where_it_stands(self) -> str:
        waits = f"asked {time.monotonic() - self.asked:.0f} s ago" if self.asked else "not accepted"
        lines = [f"{line.seq} {line.sender}: {line.text[:30]}" for line in self.screen.lines.values()]
        return f"{self.session} ({self.name}), {waits}, {self.sockets} sockets, {lines[-4:]}"

    def close(self) -> Account:
        account = self.account
        account.session = self.session or ""
        account.lines = {seq: line.text for seq, line in self.screen.lines.items()}
        account.faults += self.faults
        return account

    async def finish_posts(self) -> None:
        if self._posts:
            await asyncio.wait(self._posts)

    async def _say(self, text: str, step: Step | None) -> int:
        pictures = [drawn(step.shows)] if step and step.shows else []
        seq = await self.say(text, pictures)
        client_id = next(id for id, of in self.screen.seqs.items() if of == seq)
        self.account.said.append(Said(client_id, seq, step))
        return seq

    async def _answer(self, seq: int, step: Step) -> str:
        """What settles a question; nothing where nothing came."""
        self.asked = asked = time.monotonic()

        def settles() -> str | None:
            later = [line.text for line in self.screen.lines.values() if line.seq > seq and line.is_answer]
            answers = [text for text in later if step.is_answered(text)]
            return next(
                iter([*answers, *filter(step.is_asked_again, later), *filter(is_honest, later)]), None
            )

        try:
            await self._until(lambda: settles() is not None)
        except TimeoutError:
            self.account.faults.append(f"{self.session}: no answer to line {seq}")
            return ""
        finally:
            self.asked = None
        self.account.waited.append(time.monotonic() - asked)
        return settles() or ""

    # the platform

    async def _send(self, frame: Frame) -> None:
        await super()._send(frame)
        id = frame.get("client_id")
        if id is None or id in self._seen:
            return
        self._seen.add(id)
        chance = self._random.random()
        if chance < DOUBLED / 2:
            self.doubled += 1
            await super()._send(frame)
        elif chance < DOUBLED:
            post = asyncio.create_task(self._post(frame))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)

    async def _post(self, frame: Frame) -> None:
        """As a platform that has not heard the answer to its first try. It may fail: then it was no double."""
        message = {name: frame[name] for name in ("client_id", "text", "attachments")}
        address = self._random.choice(self._addresses)
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, verify=NO_TLS, timeout=10) as http:
            with suppress(httpx.TransportError):
                body = message | {"customer": self.name}
                answer = await http.post(f"/v1/sessions/{self.session}/messages", json=body)
                if answer.status_code == 202:
                    self.account.doubles[frame["client_id"]] = answer.json()["seq"]

    async def _talk(self, wire: Wire) -> None:
        """The next socket may go to another of the bots."""
        try:
            await super()._talk(wire)
        finally:
            self.address = self._random.choice(self._addresses)

    async def upload(self, picture: bytes) -> str:
        """From an address of one's own: uploads are counted by address."""
        headers = {"x-forwarded-for": f"10.0.{self._random.randrange(256)}.{self._random.randrange(256)}"}
        async with httpx.AsyncClient(headers=headers, verify=NO_TLS, timeout=10) as http:
            while True:
                with suppress(httpx.TransportError):
                    named = {"session": self.session} if self.session else {}
                    answer = await http.post(f"{self.address}/v1/pictures", content=picture, params=named)
                    if answer.status_code == 201:
                        return str(answer.json()["id"])
                    if answer.status_code < 500 and answer.json()["error"]["code"] not in PASSING:
                        raise Refused(answer.text)
                await asyncio.sleep(BREATH)


def is_honest(text: str) -> bool:
    return any(words in text for words in HONEST)


class Crowd:
    """So many customers at a time, one after the other, until it is told to stop."""

    def __init__(
        self, addresses: Sequence[str], random: str, size: int, arrived: Callable[[int], Awaitable[None]]
    ) -> None:
        self.accounts: list[Account] = []
        self.inside: set[Visitor] = set()
        self._addresses, self._random, self._size, self._arrived = addresses, random, size, arrived
        self.doubled = 0
        """Messages that came twice over a socket."""
        self._next = 0
        self._stopped = False

    @property
    def messages(self) -> int:
        left = sum(len(account.said) for account in self.accounts)
        return left + sum(len(visitor.account.said) for visitor in self.inside)

    @property
    def answers(self) -> int:
        left = sum(len(account.waited) for account in self.accounts)
        return left + sum(len(visitor.account.waited) for visitor in self.inside)

    async def run(self) -> None:
        """Until ``stop`` was called and everybody has left."""
        async with asyncio.TaskGroup() as places:
            for _ in range(self._size):
                places.create_task(self._place())

    def stop(self) -> None:
        self._stopped = True

    async def _place(self) -> None:
        while not self._stopped:
            number, self._next = self._next, self._next + 1
            await self._arrived(number)
            await self._visit(number)

    async def _visit(self, number: int) -> None:
        random = Random(f"{self._random}.{number}")
        visitor = Visitor(number, self._addresses, random)
        self.inside.add(visitor)
        try:
            async with visitor:
                await visitor.play(talk(number, random))
                await visitor.finish_posts()
        except TimeoutError:
            visitor.account.faults.append(f"{visitor.session}: no answer to a message or a hello")
        except Refused as error:
            visitor.account.faults.append(f"{visitor.session}: Refused {error}")
        finally:
            self.inside.discard(visitor)
            self.doubled += visitor.doubled
            self.accounts.append(visitor.close())
