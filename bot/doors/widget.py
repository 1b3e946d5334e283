"""``WS /ws``: the widget. The log is the truth; a socket shows it from where its customer left off."""

import asyncio
import hmac
import json
import re
from datetime import timedelta
from typing import Any

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from bot.app import App
from bot.domain.errors import BadRequest, SessionOfAnotherCustomer, ShotdeskError, Unavailable
from bot.domain.message import Entry
from bot.domain.ports import View
from bot.domain.vocabulary import CustomerId, SessionId
from bot.doors.bodies import client_id_in, read_json
from bot.doors.deadline import in_time
from bot.doors.errors import TooManyRequests
from bot.doors.frames import FRAME, Frame, Hello, History, Said
from bot.doors.line import Line
from bot.doors.sessions import LAST_SEQ, NewMessage, keep, message_of
from bot.telemetry import SOCKETS

log = structlog.get_logger()

FRAME_LIMIT = 2 * 1024 * 1024
"""Bytes of a frame that is still read, so that a text that is too long is answered, not cut off."""

MESSAGES = 30
MESSAGES_PER = timedelta(seconds=10)

REPLAYED = 500
"""Lines that a client may be behind: who has missed more begins anew with the latest, and is told so."""

LATEST = 100
"""Lines that a client begins anew with."""

PAGE = 100
"""Lines of one look into the log."""

HELLO_WITHIN = 30.0
"""Seconds that a new socket may stay silent."""

SLOW = 30.0
"""Seconds that a client may leave what it is sent unread."""

LOOKS_AGAIN = 1.0
"""Seconds until the log is looked into again when the store did not answer."""

FORBIDDEN, TOO_SILENT, TOO_SLOW, TRY_LATER = 4403, 4408, 4409, 1013

OURS = re.compile(r"[A-Za-z0-9_-]{22,64}")
"""A session's name as ``app.ids`` makes it. Until something is said the client alone knows of it."""


class Refetch(ShotdeskError):
    """We cannot go on from the lines you have: drop them, the latest ones follow; 'history' brings older ones."""

    code = "refetch"


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
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(tasks))
                tasks.create_task(self._show())

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
            view = await in_time(self._open(hello))
        except ShotdeskError as error:
            await self._refuse(error)
            await self._close(TRY_LATER if isinstance(error, Unavailable) else FORBIDDEN)
            return False
        self._shown = hello.last_seq if hello.session else 0
        if not await self._is_lost(view):
            await self._send_all(self._hello_of(view.last_seq))
            await self._show_page(view)
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

    async def _open(self, hello: Hello) -> View:
        """The session named; a new one, under a name that nobody can guess, if there is none."""
        if hello.session:
            self._session = hello.session
            view = await self._look(after=min(hello.last_seq, LAST_SEQ))
            if view.exists or OURS.fullmatch(hello.session):
                return view
        self._session = SessionId(self._app.ids())
        return View(exists=False, customer=None, last_seq=0, lines=())

    async def _look(self, *, after: int = 0, before: int | None = None) -> View:
        """Raises SessionOfAnotherCustomer, also where a visitor's session has become a customer's."""
        view = await self._app.store.view(self._session, after=after, before=before, limit=PAGE)
        if view.customer not in (None, self._customer):
            raise SessionOfAnotherCustomer
        return view

    async def _is_lost(self, view: View) -> bool:
        """Whether the client cannot go on from where it is: it is told so, and where the lines follow from."""
        if 0 <= view.last_seq - self._shown <= REPLAYED:
            return False
        await self._begin_anew(view.last_seq)
        return True

    async def _begin_anew(self, last: int) -> None:
        self._shown = max(0, last - LATEST)
        await self._send_all(self._hello_of(last), _error(Refetch()))

    def _hello_of(self, last: int) -> dict[str, Any]:
        return {"type": "hello", "session": self._session, "last_seq": last, "after": self._shown}

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        """A message waits for the one before it, but the time it has to be answered in begins at once."""
        places = asyncio.Semaphore(MESSAGES)
        while True:
            frame = await self._receive()
            if isinstance(frame, Said):
                await places.acquire()
                tasks.create_task(self._accept(frame)).add_done_callback(lambda _: places.release())
            elif isinstance(frame, History):
                await self._show_history(frame)
            elif isinstance(frame, Hello):
                await self._refuse(BadRequest("this socket has said hello before"))

    async def _accept(self, said: Said) -> None:
        try:
            rewound = await in_time(self._keep(said))
        except ShotdeskError as error:
            await self._refuse(error, client_id=said.client_id)
            return
        if rewound:
            await self._catch_up()

    async def _keep(self, said: Said) -> bool:
        """Whether the client begins anew: a number that was shown is a new line's, in a database put back."""
        new = NewMessage(client_id=said.client_id, text=said.text, attachments=said.attachments)
        async with self._in_order:
            await self._check_rate("say")
            message = message_of(self._app, self._session, new)
            accepted = await keep(self._app, message, self._customer, visitor=self._customer is None)
            rewound = not accepted.duplicate and accepted.seq <= self._shown
            if rewound:
                await self._begin_anew(accepted.seq)
            await self._send(type="accepted", client_id=said.client_id, seq=accepted.seq)
            if not accepted.duplicate and accepted.seq == self._shown + 1:
                await self._show_line(Entry.of(message, accepted.session, accepted.seq))
        return rewound

    async def _check_rate(self, what: str) -> None:
        if not await self._app.cache.allow(f"{what}:{self._session}", MESSAGES, MESSAGES_PER):
            raise TooManyRequests

    async def _show_history(self, asked: History) -> None:
        try:
            await self._check_rate("history")
            view = await in_time(self._look(before=min(asked.before, LAST_SEQ)))
        except ShotdeskError as error:
            await self._refuse(error, before=asked.before)
            return
        lines = [_line(entry) for entry in view.lines]
        await self._send(type="history", before=asked.before, lines=lines)

    async def _show(self) -> None:
        """What happens in the session, with the log from where the customer left off, while the socket lives."""
        async for news in self._app.cache.watch(self._session):
            if news.kind == "entry":
                if news.seq is None or not await self._has_shown(news.seq):
                    await self._catch_up()
            elif news.kind != "idle" and (news.seq is None or news.seq >= self._shown):
                await self._send(type="status", status=news.kind)

    async def _has_shown(self, seq: int) -> bool:
        """Whether there is nothing to look for. What is being accepted is shown at once."""
        if seq > self._shown:
            async with self._in_order:
                pass
        return seq <= self._shown

    async def _catch_up(self) -> None:
        """Shows what the log has more, as soon as the store answers."""
        while True:
            try:
                if await self._show_more():
                    return
            except SessionOfAnotherCustomer as error:
                await self._refuse(error)
                await self._close(FORBIDDEN)
                raise WebSocketDisconnect(FORBIDDEN) from None
            except Unavailable as error:
                log.warning("widget.store_unavailable", session=self._session, error=error.code)
                await asyncio.sleep(LOOKS_AGAIN)

    async def _show_more(self) -> bool:
        """One look into the log; whether that was all. What it found is shown when no message is half accepted."""
        after = self._shown
        view = await self._look(after=after)
        async with self._in_order:
            goes_on = after == self._shown and not await self._is_lost(view)
            return goes_on and await self._show_page(view)

    async def _show_page(self, view: View) -> bool:
        for entry in view.lines:
            await self._show_line(entry)
        if len(view.lines) < PAGE:
            self._shown = view.last_seq  # what is void at the end need not be looked for again
            return True
        return False

    async def _show_line(self, entry: Entry) -> None:
        await self._send(type="message", **_line(entry))
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
            id = client_id_in(text)
            await self._refuse(error, **({"client_id": id} if id else {}))
            return None

    async def _refuse(self, error: ShotdeskError, **about: str | int) -> None:
        await self._send_all(_error(error) | about)

    async def _send(self, **frame: Any) -> None:
        await self._send_all(frame)

    async def _send_all(self, *frames: dict[str, Any]) -> None:
        """With nothing in between. A client that does not read for SLOW seconds is cut off: the log has the rest."""
        async with self._writing:
            try:
                async with asyncio.timeout(SLOW):
                    for frame in frames:
                        await self._socket.send_text(json.dumps(frame, ensure_ascii=False))
            except (TimeoutError, RuntimeError):  # Starlette's, where the socket is closed
                raise WebSocketDisconnect(TOO_SLOW) from None

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(SLOW):
                await self._socket.close(code)
        except (TimeoutError, RuntimeError):
            raise WebSocketDisconnect(code) from None


def _error(error: ShotdeskError) -> dict[str, Any]:
    return {"type": "error", "code": error.code, "message": error.message}


def _line(entry: Entry) -> dict[str, Any]:
    return Line.of(entry).model_dump(mode="json", by_alias=True)


def sign(customer: str, secret: str) -> str:
    """The widget's signature of a customer id: HMAC-SHA256, in hex."""
    return hmac.new(secret.encode(), customer.encode(), "sha256").hexdigest()
