"""``shotdesk read``: what screenshots say."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.app import open_reading_room
from bot.cli import Out
from bot.domain.errors import NotFound, PictureTooLarge, ShotdeskError
from bot.domain.reading import Reading
from bot.settings import Settings

PICTURE_LIMIT = 10 * 1024 * 1024
"""Bytes of one picture."""


async def read_images(images: Sequence[str], reveal: bool, out: Out) -> None:
    """Each file by itself: a bad one gets its error, the others are read."""
    async with open_reading_room(Settings.from_env()) as room:
        for image in images:
            try:
                reading = await room.read(load(image), reveal=reveal)
            except ShotdeskError as error:
                out.error({"file": image}, error.code, error.message)
            else:
                out.answer({"file": image, **reading.model_dump(mode="json")}, *_lines(image, reading))
    out.exit()


def load(image: str) -> bytes:
    """The bytes of a picture file. Raises NotFound, PictureTooLarge."""
    path = Path(image)
    try:
        if path.stat().st_size > PICTURE_LIMIT:
            raise PictureTooLarge
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"cannot read this file: {error.strerror or error}") from None
    except ValueError:
        raise NotFound("there is no file of this name") from None


def _lines(image: str, reading: Reading) -> Iterator[str]:
    flags = f"  [{', '.join(reading.flags)}]" if reading.flags else ""
    yield f"{image}: {reading.page} ({reading.language or '-'}), {reading.ms:.0f} ms{flags}"
    for fact in reading.facts:
        value = f"{fact.value} {fact.unit}" if fact.unit else fact.value
        yield f"  {fact.name:<16} {value}  ({fact.confidence:.0%})"
