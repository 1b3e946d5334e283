"""SafePictures: checks and masks pictures in a few processes that may die."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from adapters.pictures.worker import Worker, WorkerDied
from bot.domain.errors import BrokenPicture, PictureTooLarge, Unavailable, UnsupportedPicture
from bot.domain.ports import Ids
from bot.domain.reading import Box, Picture
from bot.domain.vocabulary import PictureId

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 24_000_000
MAX_SIDE = 30_000
# A transparent WebP of 24 million pixels takes 600 MiB and 2 s to open and to encode again.
MEMORY = 768 * 1024 * 1024
PROCESSOR_SECONDS = 5
TAKES_TOO_LONG = "Opening this picture takes too long; please send a simpler one."

Mime = Literal["image/png", "image/jpeg", "image/webp"]


def mime_of(data: bytes) -> Mime:
    """What the bytes are; names and headers of a stranger do not count. Raises as ``check`` does."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if not data:
        raise BrokenPicture("This file is empty; please send the picture again.")
    if any(magic.startswith(data) for magic in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")):
        raise BrokenPicture
    raise UnsupportedPicture


class DecoderSaid(Exception):
    """The cause in the decoder's words, for developers."""


class SafePictures:
    """A ``PictureTool`` over at most ``workers`` processes, started when they are needed.

    A job has some seconds of processor time, and ``deadline`` seconds on the clock as the last resort.
    A process that is killed from outside costs nothing: its picture is tried once more.
    """

    def __init__(
        self,
        ids: Ids,
        workers: int = 2,
        deadline: float = 20.0,
        processor_seconds: int = PROCESSOR_SECONDS,
    ) -> None:
        self._ids = ids
        self._processor_seconds = processor_seconds
        self._turnstile = asyncio.Semaphore(workers)
        self._idle: list[Worker] = []
        self._deadline = deadline

    async def check(self, data: bytes) -> Picture:
        if len(data) > MAX_BYTES:
            raise PictureTooLarge
        mime = mime_of(data)
        head, body = await self._ask({"verb": "check", "mime": mime}, data)
        return Picture(
            id=PictureId(self._ids()),
            data=data if head.get("kept") else body,
            mime=head["mime"],
            width=head["width"],
            height=head["height"],
        )

    async def mask(self, picture: Picture, boxes: Sequence[Box]) -> tuple[bytes, str]:
        job = {"verb": "mask", "mime": picture.mime, "boxes": list(boxes)}
        head, body = await self._ask(job, picture.data)
        return body, head["mime"]

    async def aclose(self) -> None:
        idle, self._idle = self._idle, []
        for worker in idle:
            await worker.kill()

    async def _ask(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        job |= {"max_pixels": MAX_PIXELS, "max_side": MAX_SIDE}
        async with self._turnstile:
            head, body = await self._try_twice(job, data)
        match head.get("error"):
            case None:
                return head, body
            case "too_large":
                raise PictureTooLarge from DecoderSaid(head["why"])
            case _:
                raise BrokenPicture from DecoderSaid(head["why"])

    async def _try_twice(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            return await self._try(job, data)
        except WorkerDied:
            try:
                return await self._try(job, data)
            except WorkerDied:
                raise BrokenPicture from None

    async def _try(self, job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        worker = await self._worker()
        try:
            async with asyncio.timeout(self._deadline):
                answer = await worker.ask(job, data)
        except TimeoutError:
            await worker.kill()
            raise PictureTooLarge(TAKES_TOO_LONG) from None
        except BaseException:  # a cancelled job would answer in the place of the next one
            await worker.kill()
            if worker.ran_out_of_time:
                raise PictureTooLarge(TAKES_TOO_LONG) from None
            raise
        self._idle.append(worker)
        return answer

    async def _worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
        try:
            return await Worker.start(MEMORY, self._processor_seconds)
        except (OSError, TimeoutError, WorkerDied) as error:
            raise Unavailable("Pictures cannot be opened at the moment; please try again.") from error
