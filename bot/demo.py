"""``shotdesk demo``: everything embedded, a shop whose records follow today's date, and a conversation with it."""

import asyncio
import json
import secrets
import shutil
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import httpx
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from bot.app import App, DemoShop, open_app, open_demo_shop
from bot.domain.vocabulary import CustomerId
from bot.doors.widget import sign
from bot.serve import ended_by_sigterm, listening, serving
from bot.settings import Settings

CONVERSATION = ("为什么扣我钱？", "关了吧", "自动续费关掉了吗？帮我再关一次")

ANSWERED_WITHIN = 60.0
"""Seconds."""


async def run_demo(port: int, *, play: bool) -> None:
    """Starts, plays the conversation through the running server, and stays up until it is stopped."""
    settings = _embedded(Settings.from_env(), port)
    async with AsyncExitStack() as stack:
        stack.enter_context(ended_by_sigterm())
        listener = stack.enter_context(listening(settings))
        app = await stack.enter_async_context(open_app(settings, migrated=True, warm=True))
        shop = await open_demo_shop(settings, settings.home / "demo")
        running = await stack.enter_async_context(serving(app, "all", listener))
        if play:
            await Player(app, shop, running.address).play()
        _show_addresses(settings, shop, running.address)
        await shop.draw(*shop.samples)
        await running.end()


def _embedded(settings: Settings, port: int) -> Settings:
    """The demo keeps to its own folder, whatever servers the environment names."""
    own: dict[str, Any] = {"redis_url": None, "database_url": None, "orders_url": None, "port": port}
    if settings.widget_secret is None:
        own["widget_secret"] = SecretStr(secrets.token_hex(16))
    if not settings.api_keys:
        own["api_keys"] = (SecretStr(secrets.token_hex(16)),)
    return settings.model_copy(update=own)


class Player:
    """Plays the seed conversation as a customer's browser would: an upload and a socket."""

    def __init__(self, app: App, shop: DemoShop, address: str) -> None:
        self._app, self._shop, self._address = app, shop, address

    async def play(self) -> None:
        (sample,) = await self._shop.draw(self._shop.samples[0])
        customer = sample.customer
        secret = self._app.settings.widget_secret
        picture = await self._upload(sample.data)
        async with connect(self._address.replace("http", "ws", 1) + "/ws") as socket:
            signature = sign(customer, secret.get_secret_value()) if secret else ""
            await _say(socket, type="hello", customer=customer, signature=signature, last_seq=0)
            await _next(socket, "hello")
            click.echo(f"\n  {customer} sends {self._shop.folder / sample.name}")
            for number, text in enumerate(CONVERSATION):
                attachments = [picture] if number == 0 else []
                await self._exchange(socket, number, text, attachments)
                await self._show_renewals(customer)

    async def _exchange(
        self, socket: ClientConnection, number: int, text: str, attachments: Sequence[str]
    ) -> None:
        click.echo(f"  客户     {text}")
        await _say(socket, type="message", client_id=f"demo-{number}", text=text, attachments=attachments)
        reply = await _next(socket, "message", sender="bot")
        click.secho(f"  识图客服 {reply['text']}", fg="green")
        if reply["quick_replies"]:
            click.echo("           " + "  ".join(f"[{label}]" for label in reply["quick_replies"]))

    async def _show_renewals(self, customer: CustomerId) -> None:
        records = await self._app.orders.records(customer)
        states = (f"{s.id} {s.plan}: {'on' if s.auto_renewal else 'off'}" for s in records.subscriptions)
        click.secho(f"  订单系统 auto-renewal  {'   '.join(states)}\n", dim=True)

    async def _upload(self, data: bytes) -> str:
        async with httpx.AsyncClient(base_url=self._address, timeout=30) as http:
            answer = await http.post("/v1/pictures", content=data, headers={"content-type": "image/png"})
            answer.raise_for_status()
            id: str = answer.json()["id"]
            return id


async def _say(socket: ClientConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame, ensure_ascii=False))


async def _next(socket: ClientConnection, kind: str, sender: str | None = None) -> dict[str, Any]:
    """The next frame of a kind, from a sender."""
    async with asyncio.timeout(ANSWERED_WITHIN):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == "error":
                raise click.ClickException(f"the server answered {frame['code']}: {frame['message']}")
            if frame["type"] == kind and sender in (None, frame.get("from")):
                return frame


def _show_addresses(settings: Settings, shop: DemoShop, address: str) -> None:
    keys = " ".join(key.get_secret_value() for key in settings.api_keys)
    home = f"SHOTDESK_HOME={settings.home} " if settings.home != Path("~/.shotdesk").expanduser() else ""
    click.echo(f"Shotdesk is up at {address}   (Ctrl-C stops it)")
    click.echo(f"  widget socket   {address.replace('http', 'ws', 1)}/ws")
    click.echo(f"  API             {address}/openapi.json   key {keys}")
    click.echo(f"  state           {address}/ready   {address}/metrics")
    click.echo(f"  screenshots     {shop.folder}")
    click.echo("Try, in another terminal:")
    for sample in shop.samples[:4]:
        click.echo(
            f'  {home}{_command()} ask "{sample.question}" --customer {sample.customer}'
            f" --image {shop.folder / sample.name}"
        )


def _command() -> str:
    """The command as it was called: ``make demo`` calls it by its path."""
    called = Path(sys.argv[0])
    return "shotdesk" if shutil.which("shotdesk") else str(called)
