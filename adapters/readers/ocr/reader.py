"""The embedded reader: screenshots to Readings on a CPU, without a server."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from adapters.readers.ocr.memory import LRUCache
from bot.domain.reading import Picture, Reading, Seen

if TYPE_CHECKING:
    from adapters.readers.ocr.picture_reader import PictureReader

REMEMBERED = 128


class OcrReader:
    """Reads with PP-OCRv6. ``now`` gives the shop's time, aware, to resolve relative days against."""

    name = "ocr"

    def __init__(self, now: Callable[[], datetime], threads: int = 2) -> None:
        self._now = now
        self._threads_of_models = threads
        self._opening = Lock()
        self._opened: PictureReader | None = None
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ocr-page")
        self._remembered = LRUCache[tuple[str, str], Reading](REMEMBERED)

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        """One Reading a picture. The questions are of no help to a reader that reads everything."""
        loop = asyncio.get_running_loop()
        readings = await asyncio.gather(
            *(loop.run_in_executor(self._threads, self.read_one, picture) for picture in pictures)
        )
        return Seen(tuple(readings))

    def warm_up(self) -> None:
        """Loads the models and runs them once, so that the first customer does not wait for it. Blocks."""
        self._reader().warm_up()

    def read_one(self, picture: Picture) -> Reading:
        """Blocks: call it from a thread. Raises ReaderDown for bytes that OpenCV cannot open.

        Remembers by the very bytes, never by a likeness of pictures: one digit changes too few pixels.
        """
        started, now = time.perf_counter(), self._now()
        key = hashlib.sha256(picture.data).hexdigest(), f"{now:%Y-%m-%dT%H:%M}"
        reading = self._remembered.get(key)
        if reading is None:
            reading = self._reader().read(picture.data, now)
            self._remembered.put(key, reading)
        return reading.model_copy(update={"ms": round((time.perf_counter() - started) * 1000, 1)})

    def _reader(self) -> "PictureReader":
        """Loaded with the first picture: a bot that only talks needs neither OpenCV nor the models."""
        from adapters.readers.ocr.picture_reader import PictureReader

        with self._opening:
            self._opened = self._opened or PictureReader(self.name, self._threads_of_models)
            return self._opened
