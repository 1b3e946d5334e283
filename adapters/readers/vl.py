"""VlReader: a vision-language model behind any OpenAI-compatible server (vLLM, SGLang, our own)."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import structlog
from pydantic import Field, SecretStr

from adapters.readers.answer import BadAnswer, parse, schema
from adapters.readers.breaker import Breaker
from adapters.readers.chat_server import ChatServer, ServerFailed
from adapters.readers.prompt import data_url, messages, repair
from bot.domain.base import Model
from bot.domain.errors import ReaderDown
from bot.domain.ports import Clock
from bot.domain.reading import Picture, Seen

log = structlog.get_logger(__name__)


class VlOptions(Model):
    """A server and how to ask it. Times in seconds.

    ``url`` is the API's base, such as ``http://gpu:8000/v1``. ``json_mode``: how the server is told to answer
    in JSON: ``json_schema`` (vLLM, SGLang, our own), ``json_object``, or ``none`` where it knows neither.
    1,280 x 32 x 32 pixels are 1,280 tokens to Qwen3-VL; a larger picture is scaled down to them.
    """

    url: Annotated[str, Field(pattern=r"^https?://")]
    model: Annotated[str, Field(min_length=1)]
    key: SecretStr | None = None
    json_mode: Literal["json_schema", "json_object", "none"] = "json_schema"
    deadline: Annotated[float, Field(gt=0)] = 20.0
    tries: Annotated[int, Field(ge=1)] = 3
    max_pixels: Annotated[int, Field(ge=32 * 32)] = 1280 * 32 * 32
    max_pictures: Annotated[int, Field(ge=1)] = 4
    max_facts: Annotated[int, Field(ge=1)] = 40
    max_tokens: Annotated[int, Field(ge=1)] = 4096
    rest: Annotated[float, Field(gt=0)] = 30.0


class VlReader:
    """A ``ScreenReader``. After three failures in a row the server is left alone for ``rest`` seconds."""

    def __init__(self, options: VlOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        key = options.key.get_secret_value() if options.key else None
        self._server = ChatServer(options.url, key, options.tries)
        self._breaker = Breaker(rest=options.rest)

    @property
    def name(self) -> str:
        """``vl`` and the model's own name."""
        return "vl:" + self._options.model.rstrip("/").rpartition("/")[2]

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        if not self._breaker.admits():
            raise ReaderDown
        try:
            async with asyncio.timeout(self._options.deadline):
                seen = await self._read_all(pictures, question, last_question)
        except BadAnswer as error:  # the server is well: its model was at a loss with this picture
            self._breaker.succeeded()
            raise self._down("no answer in form") from error
        except (ServerFailed, TimeoutError) as error:
            self._breaker.failed()
            raise self._down(str(error) or "deadline") from error
        self._breaker.succeeded()
        return seen

    async def aclose(self) -> None:
        await self._server.aclose()

    def _down(self, cause: str) -> ReaderDown:
        log.warning("reader_down", reader=self.name, cause=cause)
        return ReaderDown()

    async def _read_all(self, pictures: Sequence[Picture], question: str, last: str | None) -> Seen:
        """A few pictures at a time: servers have a limit for one request."""
        until = asyncio.get_running_loop().time() + self._options.deadline
        step = self._options.max_pictures
        parts = [
            await self._read_some(pictures[first : first + step], question, last, until)
            for first in range(0, len(pictures), step)
        ]
        return Seen(
            readings=tuple(reading for part in parts for reading in part.readings),
            hint=next((part.hint for part in parts if part.hint), None),
        )

    async def _read_some(
        self, pictures: Sequence[Picture], question: str, last: str | None, until: float
    ) -> Seen:
        started = time.perf_counter()
        urls = [await asyncio.to_thread(data_url, p, self._options.max_pixels) for p in pictures]
        talk = messages(urls, question, last, self._clock())
        answer = await self._ask(talk, len(pictures), until)
        try:
            return parse(answer, pictures, self.name, _since(started))
        except BadAnswer as error:
            talk += repair(answer, str(error))
        answer = await self._ask(talk, len(pictures), until)
        return parse(answer, pictures, self.name, _since(started))

    async def _ask(self, talk: list[dict[str, Any]], pictures: int, until: float) -> str:
        options = self._options
        request: dict[str, Any] = {
            "model": options.model,
            "messages": talk,
            "temperature": 0,
            "max_tokens": options.max_tokens,
        }
        if options.json_mode == "json_object":
            request["response_format"] = {"type": "json_object"}
        elif options.json_mode == "json_schema":
            form = {"name": "screenshots", "strict": True, "schema": schema(pictures, options.max_facts)}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        return await self._server.complete(request, until)


def _since(started: float) -> float:
    """Milliseconds."""
    return round((time.perf_counter() - started) * 1000, 1)
