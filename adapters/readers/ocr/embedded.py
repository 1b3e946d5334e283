"""The embedded reader, loaded when it is needed: its libraries alone take 50 MiB."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from bot.domain.reading import Picture, Seen

if TYPE_CHECKING:
    from adapters.readers.ocr.reader import OcrReader


class EmbeddedReader:
    """An ``OcrReader`` from the first picture on, or from ``warm_up``."""

    name = "ocr"

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._loading = Lock()
        self._reader: OcrReader | None = None

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        loaded = await asyncio.to_thread(self._loaded)
        return await loaded.read(pictures, question, last_question)

    def warm_up(self) -> None:
        """Blocks, as ``OcrReader.warm_up`` does."""
        self._loaded().warm_up()

    def _loaded(self) -> "OcrReader":
        with self._loading:
            if self._reader is None:
                from adapters.readers.ocr.reader import OcrReader

                self._reader = OcrReader(self._now)
            return self._reader
