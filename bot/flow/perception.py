"""Pictures become Readings: the ladder of readers, and what is kept of a picture after its turn."""

import asyncio
from collections.abc import Sequence

import structlog

from bot.domain.errors import NotFound, ReaderDown, ShotdeskError
from bot.domain.message import Attachment
from bot.domain.ports import MediaStore, PictureTool, ScreenReader
from bot.domain.reading import Box, Fact, Picture, Reading, Seen
from bot.flow.privacy import mask_fact, mask_reading

log = structlog.get_logger(__name__)

NOBODY = "none"
UNREAD = Reading(page="other", language=None, flags=("unreadable",), reader=NOBODY)
"""What is known of a picture that no reader could read: the bot asks honestly."""


class Ladder:
    """``readers`` from the best to the last resort; each has ``deadline`` seconds, the last has ``at_last``.

    After the last there is nobody: a reader that is slow, as with many pictures at once, is waited for, and
    the customer has been told that it takes a moment.
    """

    def __init__(
        self, readers: Sequence[ScreenReader], deadline: float = 25.0, at_last: float = 90.0
    ) -> None:
        self._readers, self._deadline, self._at_last = readers, deadline, at_last

    async def read(self, pictures: Sequence[Picture], question: str, last_question: str | None) -> Seen:
        """Down the ladder, until one answers. Raises nothing: what nobody could read is said to be so."""
        for reader in self._readers if pictures else ():
            try:
                async with asyncio.timeout(self._at_last if reader is self._readers[-1] else self._deadline):
                    seen = await reader.read(pictures, question, last_question)
            except (ReaderDown, TimeoutError) as error:
                log.warning("perception.step_down", reader=reader.name, cause=type(error).__name__)
                continue
            except Exception as error:  # a reader's own fault with one picture must not cost the turn
                log.error("perception.reader_failed", reader=reader.name, cause=type(error).__name__)
                continue
            if len(seen.readings) == len(pictures):
                return seen
            log.error("perception.reader_failed", reader=reader.name, cause="readings missing")
        return Seen((UNREAD,) * len(pictures))


class Perception:
    """What a turn sees: the readings of its pictures, masked."""

    def __init__(self, ladder: Ladder, media: MediaStore, pictures: PictureTool) -> None:
        self._ladder, self._media, self._pictures = ladder, media, pictures

    async def perceive(
        self, attachments: Sequence[Attachment], question: str, last_question: str | None
    ) -> Seen:
        """A Reading for each attachment, in order, with personal data masked; masked copies are kept.

        Raises Unavailable where the originals cannot be reached.
        """
        loaded = await asyncio.gather(*(self._load(attachment) for attachment in attachments))
        there = [picture for picture in loaded if picture]
        seen = await self._ladder.read(there, question, last_question)
        await asyncio.gather(*(self._keep_masked(p, r) for p, r in zip(there, seen.readings, strict=True)))
        readings = iter(mask_reading(reading) for reading in seen.readings)
        return Seen(tuple(next(readings) if picture else UNREAD for picture in loaded), seen.hint)

    async def _load(self, attachment: Attachment) -> Picture | None:
        try:
            return await self._media.load(attachment.id)
        except NotFound:
            log.warning("perception.original_gone")
            return None

    async def _keep_masked(self, picture: Picture, reading: Reading) -> None:
        try:
            data, mime = await self._pictures.mask(picture, boxes_to_mask(picture, reading))
            await self._media.keep_masked(picture.id, data, mime)
        except ShotdeskError as error:  # the copy is for people who look later: the answer does not wait
            log.warning("perception.no_masked_copy", cause=error.code)


def boxes_to_mask(picture: Picture, reading: Reading) -> list[Box]:
    """Where personal data stands; everything, where nobody could tell."""
    if reading.reader == NOBODY:
        return [(0, 0, picture.width, picture.height)]
    return [_grown(fact, picture) for fact in reading.facts if mask_fact(fact) != fact]


def _grown(fact: Fact, picture: Picture) -> Box:
    """A reader's box may cut the edge of a letter: a third of the line's height is added around it."""
    x0, y0, x1, y1 = fact.box
    more = max(3, (y1 - y0) // 3)
    return max(0, x0 - more), max(0, y0 - more), min(picture.width, x1 + more), min(picture.height, y1 + more)
