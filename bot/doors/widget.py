"""``WS /ws``: the widget. The log is the truth; a socket shows it from where its customer left off."""

import asyncio
import hmac
import json
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, TypeAdapter

from bot.app import App
from bot.domain.base import Model
from bot.domain.errors import BadRequest, SessionOfAnotherCustomer, ShotdeskError, Unavailable
from bot.domain.message import MAX_PICTURES
from bot.domain.vocabulary import CustomerId, SessionId
from bot.doors.bodies import CustomerName, Name, PictureName, SessionName, client_id_in, read_json
from bot.doors.errors import TooManyRequests
from bot.doors.line import Line
from bot.doors.sessions import NewMessage, accept
from bot.telemetry import SOCKETS

log = structlog.get_logger()

FRAME_LIMIT = 2 * 1024 * 1024
"""Bytes of a frame that is still read, so that a text that is too long is answered, not cut off."""

MESSAGES = 30
MESSAGES_PER = timedelta(seconds=10)

HELLO_WITHIN = 30.0
"""Seconds that a new socket may stay silent."""

SLOW = 30.0
"""Seconds that a client may leave what it is sent unread."""

LOOKS_AGAIN = 1.0
"""Seconds until the log is looked into again when the store did not answer."""

FORBIDDEN, TOO_SILENT, TOO_SLOW, TRY_LATER = 4403, 4408, 4409, 1013

OURS = re.compile(r"[A-Za-z0-9_-]{22,64}")
"""A session's name as ``app.ids`` makes it. Until something is said the client alone knows of it."""


class Hello(Model):
    """Opens, or goes on from ``last_seq``. A customer is believed by the page's signature only."""

    type: Literal["hello"]
    session: SessionName | None = None
    last_seq: Annotated[int, Field(ge=0)] = 0
    customer: CustomerName | None = None
    signature: Annotated[str, Field(max_length=128)] | None = None


class Said(Model):
    type: Literal["message"]
    client_id: Name
    text: str = ""
    attachments: Annotated[tuple[PictureName, ...], Field(max_length=MAX_PICTURES)] = ()


class Ack(Model):
    type: Literal["ack"]
    seq: Annotated[int, Field(ge=0)]


class Typing(Model):
    type: Literal["typing"]


Frame = Hello | Said | Ack | Typing
FRAME: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])


class BadSignature(ShotdeskError):
    """The customer's signature is not right."""

    code = "bad_signature"


def routes(app: App) -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws")
    async def widget(socket: WebSocket) -> None:
        await socket.accept()
        SOCKETS.inc()
        try:
            await Widget(app, socket).serve()
        except* WebSocketDisconnect:
            pass

    return router


class Widget:
    """One socket of one session."""

    def __init__(self, app: App, socket: WebSocket) -> None:
        self._app, self._socket = app, socket
        self._session = SessionId("")
        self._customer: CustomerId | None = None
        self._shown = 0
        self._writing = asyncio.Lock()
        self._in_order = asyncio.Lock()
        """``accepted`` comes before whatever the message brings about."""

    async def serve(self) -> None:
        """Until the socket closes. A frame that is not understood is answered, and the socket stays open."""
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                hello = await self._hello()
        except TimeoutError:
            await self._close(TOO_SILENT)
            return
        if await self._greet(hello):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._listen())
                both.create_task(self._show())

    async def _hello(self) -> Hello:
        while True:
            frame = await self._receive()
            if isinstance(frame, Hello):
                return frame
            if frame:
                await self._refuse(BadRequest("the first frame is a hello"))

    async def _greet(self, hello: Hello) -> bool:
        try:
            self._customer = self._vouched_for(hello)
            self._session, last = await self._session_of(hello)
        except ShotdeskError as error:
            await self._refuse(error)
            await self._close(TRY_LATER if isinstance(error, Unavailable) else FORBIDDEN)
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
        right = sign(hello.customer, secret.get_secret_value())
        if not hmac.compare_digest(right.encode(), (hello.signature or "").lower().encode()):
            raise BadSignature
        return hello.customer

    async def _session_of(self, hello: Hello) -> tuple[SessionId, int]:
        """The session named, with its last seq; a new one, under a name that nobody can guess, if there is none."""
        if hello.session:
            exists, owner = await self._app.store.customer_of(hello.session)
            if owner and owner != self._customer:
                raise SessionOfAnotherCustomer
            if exists or OURS.fullmatch(hello.session):
                return hello.session, await self._app.store.last_seq(hello.session)
        return SessionId(self._app.ids()), 0

    async def _check_visitor(self) -> None:
        """A session that has become a customer's is no longer a visitor's. Raises SessionOfAnotherCustomer."""
        if self._customer is None:
            _, owner = await self._app.store.customer_of(self._session)
            if owner:
                raise SessionOfAnotherCustomer

    async def _listen(self) -> None:
        while True:
            frame = await self._receive()
            if isinstance(frame, Said):
                await self._accept(frame)
            elif isinstance(frame, Hello):
                await self._refuse(BadRequest("this socket has said hello before"))

    async def _accept(self, said: Said) -> None:
        try:
            if not await self._app.cache.allow(f"say:{self._session}", MESSAGES, MESSAGES_PER):
                raise TooManyRequests
            await self._check_visitor()
            new = NewMessage(
                client_id=said.client_id,
                text=said.text,
                attachments=said.attachments,
                customer=self._customer,
            )
            async with self._in_order:
                accepted = await accept(self._app, self._session, new)
                await self._send(type="accepted", client_id=said.client_id, seq=accepted.seq)
        except ShotdeskError as error:
            await self._refuse(error, said.client_id)

    async def _show(self) -> None:
        """What happens in the session, with the log from where the customer left off, while the socket lives."""
        async for news in self._app.cache.watch(self._session):
            if news.kind == "entry":
                await self._catch_up()
            elif news.kind != "idle" and (news.seq is None or news.seq >= self._shown):
                await self._send(type="status", status=news.kind)

    async def _catch_up(self) -> None:
        """Shows what the log has more, as soon as the store answers."""
        while True:
            try:
                await self._check_visitor()
                async with self._in_order:
                    await self._show_log()
                return
            except SessionOfAnotherCustomer as error:
                await self._refuse(error)
                await self._close(FORBIDDEN)
                raise WebSocketDisconnect(FORBIDDEN) from None
            except Unavailable as error:
                log.warning("widget.store_unavailable", session=self._session, error=error.code)
                await asyncio.sleep(LOOKS_AGAIN)

    async def _show_log(self) -> None:
        while entries := await self._app.store.log(self._session, self._shown):
            for entry in entries:
                line = Line.of(entry).model_dump(mode="json", by_alias=True)
                await self._send(type="message", **line)
                self._shown = entry.seq

    async def _receive(self) -> Frame | None:
        """The next frame; None, and an answer, for one that cannot be read. Raises WebSocketDisconnect."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text")
        if text is None:
            await self._refuse(BadRequest("frames are JSON text; pictures go to /v1/pictures"))
            return None
        try:
            return read_json(FRAME, text)
        except ShotdeskError as error:
            await self._refuse(error, client_id_in(text))
            return None

    async def _refuse(self, error: ShotdeskError, client_id: str | None = None) -> None:
        about = {"client_id": client_id} if client_id else {}
        await self._send(type="error", code=error.code, message=error.message, **about)

    async def _send(self, **frame: Any) -> None:
        """One frame. A client that does not read for SLOW seconds is cut off: the log keeps what it missed."""
        async with self._writing:
            try:
                async with asyncio.timeout(SLOW):
                    await self._socket.send_text(json.dumps(frame, ensure_ascii=False))
            except (TimeoutError, RuntimeError):  # Starlette's, where the socket is closed
                raise WebSocketDisconnect(TOO_SLOW) from None

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(SLOW):
                await self._socket.close(code)
        except (TimeoutError, RuntimeError):
            raise WebSocketDisconnect(code) from None


def sign(customer: str, secret: str) -> str:
    """The widget's signature of a customer id: HMAC-SHA256, in hex."""
    return hmac.new(secret.encode(), customer.encode(), "sha256").hexdigest()
