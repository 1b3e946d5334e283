"""A small chat server over a real socket, which answers each request by the next line of a script."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class VlServer:
    """``requests`` are the bodies that came; the last line of the script answers all further ones."""

    script: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            assert lines[0].startswith("POST /v1/chat/completions ")
            self.headers.append(headers)
            self.requests.append(json.loads(body))
            answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*script: Answer) -> AsyncIterator[VlServer]:
    fake = VlServer(list(script))
    handlers: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await fake.handle(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            handlers.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()


def _head(status: int, length: int, extra: Iterable[str] = ()) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {length}", "Connection: close", *extra]
    return "\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode()


def says(content: Any) -> Answer:
    """A chat completion with this text; what is no text is sent as JSON."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return sends(json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}))


def sends(body: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        data = body.encode()
        writer.write(_head(200, len(data)) + data)
        await writer.drain()

    return answer


def refuses(status: int, *extra: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        data = b'{"error": {"message": "no"}}'
        writer.write(_head(status, len(data), extra) + data)
        await writer.drain()

    return answer


def cuts_off() -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, 5000) + b'{"choices": [{"mess')
        await writer.drain()

    return answer


def hangs() -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return answer


def hangs_up() -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    return answer


def floods() -> Answer:
    """Never ends: the client has to stop it."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, 10**12) + b'{"choices": [{"message": {"content": "')
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    return answer
