"""``WS /ws``: the widget. The log is the truth; a socket shows it from where its customer left off."""

import asyncio
import hmac
import json
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, TypeAdapter, ValidationError

from bot.app import App
from bot.domain.base import Model
from bot.domain.errors import BadRequest, SessionOfAnotherCustomer, ShotdeskError
from bot.domain.message import MAX_PICTURES, Entry, Sender
from bot.domain.vocabulary import CustomerId, PictureId, SessionId
from bot.doors.errors import TooManyRequests, why
from bot.doors.sessions import NewMessage, accept
from bot.telemetry import SOCKETS

log = structlog.get_logger()

FRAME_LIMIT = 2 * 1024 * 1024
"""Bytes of a frame that is still read, so that a text that is too long is answered, not cut off."""

MESSAGES = 30
MESSAGES_PER = timedelta(seconds=10)

SLOW = 30.0
"""Seconds that a client may leave what it is sent unread."""

BAD_SIGNATURE = 4403

SessionName = Annotated[SessionId, Field(min_length=1, max_length=120, pattern=r"^[\w.:@-]+$")]


class Hello(Model):
    """Opens, or goes on from ``last_seq``. A customer is believed by the page's signature only."""

    type: Literal["hello"]
    session: SessionName | None = None
    last_seq: Annotated[int, Field(ge=0)] = 0
    customer: Annotated[str, Field(max_length=120)] | None = None
    signature: Annotated[str, Field(max_length=128)] | None = None


class Said(Model):
    type: Literal["message"]
    client_id: Annotated[str, Field(min_length=1, max_length=120)]
    text: str = ""
    attachments: Annotated[tuple[PictureId, ...], Field(max_length=MAX_PICTURES)] = ()


class Ack(Model):
    type: Literal["ack"]
    seq: Annotated[int, Field(ge=0)]


class Typing(Model):
    type: Literal["typing"]


Frame = Annotated[Hello | Said | Ack | Typing, Field(discriminator="type")]


class BadSignature(ShotdeskError):
    """The customer's signature is not right."""

    code = "bad_signature"


FRAME: TypeAdapter[Hello | Said | Ack | Typing] = TypeAdapter(Frame)


def routes(app: App) -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws")
    async def widget(socket: WebSocket) -> None:
        await socket.accept()
        SOCKETS.inc()
        with suppress(WebSocketDisconnect):
            await Widget(app, socket).serve()

    return router


class Widget:
    """One socket of one session."""

    def __init__(self, app: App, socket: WebSocket) -> None:
        self._app, self._socket = app, socket
        self._session = SessionId("")
        self._customer: CustomerId | None = None
        self._shown = 0
        self._sending = asyncio.Lock()

    async def serve(self) -> None:
        """Until the socket closes. A frame that is not understood is answered, and the socket stays open."""
        if not await self._open():
            return
        showing = asyncio.create_task(self._show())
        try:
            await self._listen()
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect):
                await showing

    async def _open(self) -> bool:
        while True:
            frame = await self._receive()
            if isinstance(frame, Hello):
                return await self._greet(frame)
            if frame:
                await self._refuse(BadRequest("the first frame is a hello"))

    async def _greet(self, hello: Hello) -> bool:
        try:
            self._customer = self._vouched_for(hello)
            self._session, last = await self._session_of(hello)
        except ShotdeskError as error:
            await self._refuse(error)
            await self._socket.close(BAD_SIGNATURE)
            return False
        self._shown = min(hello.last_seq, last)
        await self._send(type="hello", session=self._session, last_seq=last)
        return True

    def _vouched_for(self, hello: Hello) -> CustomerId | None:
        """The customer, if the page's signature is right; a page without one has a visitor."""
        if hello.customer is None:
            return None
        secret = self._app.settings.widget_secret
        if secret is None:
            raise BadSignature("this shop has set no SHOTDESK_WIDGET_SECRET, so no customer can be signed in")
        if not hmac.compare_digest(sign(hello.customer, secret.get_secret_value()), hello.signature or ""):
            raise BadSignature
        return CustomerId(hello.customer)

    async def _session_of(self, hello: Hello) -> tuple[SessionId, int]:
        """The session named, with its last seq; a new one, under a name that nobody can guess, if there is none."""
        if hello.session:
            exists, owner = await self._app.store.customer_of(hello.session)
            if exists and owner and owner != self._customer:
                raise SessionOfAnotherCustomer
            if exists:
                return hello.session, await self._app.store.last_seq(hello.session)
        return SessionId(self._app.ids()), 0

    async def _listen(self) -> None:
        try:
            while True:
                frame = await self._receive()
                if isinstance(frame, Said):
                    await self._accept(frame)
                elif isinstance(frame, Hello):
                    await self._refuse(BadRequest("this socket has said hello before"))
        except WebSocketDisconnect:
            return

    async def _accept(self, said: Said) -> None:
        try:
            if not await self._app.cache.allow(f"say:{self._session}", MESSAGES, MESSAGES_PER):
                raise TooManyRequests
            new = NewMessage(
                client_id=said.client_id,
                text=said.text,
                attachments=said.attachments,
                customer=self._customer,
            )
            accepted = await accept(self._app, self._session, new)
        except ShotdeskError as error:
            await self._refuse(error, client_id=said.client_id)
            return
        await self._send(type="accepted", client_id=said.client_id, seq=accepted.seq)

    async def _show(self) -> None:
        """What happens in the session, with the log from where the customer left off, while the socket lives."""
        async for news in self._app.cache.watch(self._session):
            if news.kind == "entry":
                await self._catch_up()
            elif news.kind != "idle":
                await self._send(type="status", status=news.kind)

    async def _catch_up(self) -> None:
        while entries := await self._app.store.log(self._session, self._shown):
            for entry in entries:
                await self._send(type="message", **_frame(entry))
                self._shown = entry.seq

    async def _receive(self) -> Hello | Said | Ack | Typing | None:
        """The next frame; None, and an answer, for one that cannot be read. Raises WebSocketDisconnect."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        try:
            return FRAME.validate_json(message.get("text") or message.get("bytes") or b"")
        except ValidationError as error:
            await self._refuse(why(error))
            return None

    async def _refuse(self, error: ShotdeskError, client_id: str | None = None) -> None:
        about = {"client_id": client_id} if client_id else {}
        await self._send(type="error", code=error.code, message=error.message, **about)

    async def _send(self, **frame: Any) -> None:
        """One frame. A client that does not read for SLOW seconds is cut off: the log keeps what it missed."""
        async with self._sending:
            try:
                async with asyncio.timeout(SLOW):
                    await self._socket.send_text(json.dumps(frame, ensure_ascii=False))
            except (TimeoutError, RuntimeError):
                raise WebSocketDisconnect(1011) from None


def sign(customer: str, secret: str) -> str:
    """The widget's signature of a customer id: HMAC-SHA256, in hex."""
    return hmac.new(secret.encode(), customer.encode(), "sha256").hexdigest()


def _frame(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "from": entry.sender.value,
        "text": entry.text,
        "attachments": [a.id for a in entry.attachments],
        "quick_replies": list(entry.quick_replies),
        "at": entry.at.isoformat(),
        "client_id": entry.key if entry.sender is Sender.CUSTOMER else None,
    }
