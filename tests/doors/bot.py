"""A whole bot behind real sockets, and customers who talk to it."""

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from bot.app import App, open_app, opened_orders, read_order_file
from bot.domain.intent import IntentMatch
from bot.domain.ports import ScreenReader
from bot.domain.reading import Fact, Picture, Reading, Seen
from bot.domain.vocabulary import SessionId
from bot.doors.widget import sign
from bot.serve import listening, serving
from bot.settings import Settings

SECRET = "widget-secret"
KEY = "api-key"
SOON = 20.0
"""Seconds after which a test gives up: no measure of anything."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Reading the system's certificates for each client would take longer than the tests."""

NOW = datetime(2025, 12, 2, 12, 0)
AMOUNT = Fact(name="amount", value="88.00", unit="CNY", text="-88.00", box=(0, 0, 9, 9), confidence=0.98)


class ScriptedReader:
    """Reads the same charge in every picture."""

    name = "scripted"

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        reading = Reading(page="charge_notice", language="zh", facts=(AMOUNT,), reader=self.name)
        return Seen((reading,) * len(pictures))


class KeywordClassifier:
    def classify(self, text: str, last_bot: str | None = None) -> IntentMatch:
        return IntentMatch("explain_charge" if "扣" in text else "greet", 0.99)


def settings_of(home: Path, **more: Any) -> Settings:
    secrets = {"widget_secret": SecretStr(SECRET), "api_keys": (SecretStr(KEY),)}
    return Settings(home=home, port=0, now=NOW, **(secrets | more))


@dataclass(frozen=True)
class Bot:
    app: App
    address: str

    @asynccontextmanager
    async def tab(self, **hello: Any) -> AsyncIterator["Tab"]:
        """A browser tab whose hello was answered."""
        async with self.socket() as tab:
            await tab.send(type="hello", **({"last_seq": 0} | hello))
            tab.hello = await tab.until("hello")
            yield tab

    @asynccontextmanager
    async def socket(self) -> AsyncIterator["Tab"]:
        async with connect(self.address.replace("http", "ws", 1) + "/ws", max_size=None) as socket:
            yield Tab(socket)

    def http(self, key: str | None = None) -> httpx.AsyncClient:
        """A client with an address of its own: uploads are counted by address."""
        headers = {"x-forwarded-for": f"10.0.{secrets.randbelow(256)}.{secrets.randbelow(256)}"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        return httpx.AsyncClient(base_url=self.address, headers=headers, timeout=SOON, verify=NO_TLS)

    async def upload(self, session: str | None = None) -> str:
        async with self.http() as http:
            params = {"session": session} if session else {}
            answer = await http.post("/v1/pictures", content=png(), params=params)
            assert answer.status_code == 201, answer.text
            id: str = answer.json()["id"]
            return id


@dataclass
class Tab:
    """One socket of a customer; ``seen`` is what came over it."""

    connection: ClientConnection
    hello: dict[str, Any] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def session(self) -> str:
        return str(self.hello["session"])

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [frame for frame in self.seen if frame["type"] == "message"]

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def say(self, text: str, *attachments: str, client_id: str | None = None) -> str:
        id = client_id or secrets.token_hex(8)
        await self.send(type="message", client_id=id, text=text, attachments=attachments)
        return id

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(SOON):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        self.seen.append(frame)
        return frame

    async def until(self, type: str, **like: Any) -> dict[str, Any]:
        """The next frame of a type and with such values."""
        while True:
            frame = await self.next()
            if frame["type"] == type and like.items() <= frame.items():
                return frame

    async def answer(self) -> dict[str, Any]:
        return await self.until("message", **{"from": "bot"})

    async def refused(self) -> str:
        frame = await self.next()
        assert frame["type"] == "error", frame
        assert frame["message"]
        return str(frame["code"])


@asynccontextmanager
async def running_bot(
    home: Path, role: str = "all", reader: ScreenReader | None = None, **more: Any
) -> AsyncIterator[Bot]:
    """Started on a random port, with the records of ``shop.json``."""
    settings = settings_of(home, **more)
    await import_shop(settings)
    opened = open_app(
        settings, migrated=True, readers=[reader or ScriptedReader()], classifier=KeywordClassifier()
    )
    with listening(settings) as listener:
        async with opened as app, serving(app, role, listener) as running:
            yield Bot(app, running.address)


async def import_shop(settings: Settings) -> None:
    async with opened_orders(settings) as orders:
        await orders.load(read_order_file(settings, Path(__file__).with_name("shop.json")))


def signature(customer: str, secret: str = SECRET) -> dict[str, str]:
    return {"customer": customer, "signature": sign(customer, secret)}


def png(size: tuple[int, int] = (40, 80), format: str = "PNG") -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 60).save(out, format)
    return out.getvalue()


async def expecting(bot: Bot, tab: Tab, expected: bool) -> None:
    """Waits until a picture is, or is no longer, on its way into a session."""
    await eventually(lambda: _is(bot.app.cache.expects_picture(SessionId(tab.session)), expected))


async def eventually(happens: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what nothing announces."""
    async with asyncio.timeout(SOON):
        while not await happens():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _is(answer: Awaitable[bool], expected: bool) -> bool:
    return await answer is expected
